/** What the gateways are asked. Each operation comes with variables that vary, so that none is answered for another. */
export type Operation = {
  readonly query: string
  /** Variables of the nth request. There are `variants` different ones, then they come again. */
  readonly variables: (n: number) => Readonly<Record<string, unknown>>
  readonly variants: number
  /** Requests that make a round last about as long for every operation. */
  readonly requests: number
}

const quoted = Array.from({ length: 25 }, (_, n) => n)

const fragments = {
  product: 'id name price { amount currency }',
}

export const operations = {
  /** One subgraph, one object. */
  single: {
    query: 'query Single($id: ID!) { user(id: $id) { id name email locale createdAt } }',
    variables: (n) => ({ id: String(n % 100) }),
    variants: 100,
    requests: 600,
  },
  /** Three fetches one after another: products, reviews, users. About 3 KB, the same for everyone. */
  list: {
    query: `query List($first: Int!) {
      products(first: $first) { ${fragments.product} reviews(first: 1) { stars text author { id name } } }
    }`,
    variables: () => ({ first: 14 }),
    variants: 1,
    requests: 300,
  },
  /** All four subgraphs, entities within entities, about 90 KB. */
  heavy: {
    query: `query Heavy($first: Int!, $skip: Int!) {
      orders(first: $first, skip: $skip) {
        id number status placedAt
        total { amount currency }
        customer { id name email reviewCount }
        items {
          quantity
          unitPrice { amount currency }
          product {
            ${fragments.product}
            sku
            description
            category { id name }
            reviews(first: 2) { id stars text author { id name } }
          }
        }
      }
    }`,
    variables: (n) => ({ first: 50, skip: n % 10 }),
    variants: 10,
    requests: 40,
  },
  /** A mutation in one subgraph, with entities of two others. */
  mutation: {
    query: `mutation PlaceOrder($input: PlaceOrderInput!) {
      placeOrder(input: $input) {
        id number status total { amount currency } customer { id name }
        items { quantity unitPrice { amount currency } product { ${fragments.product} } }
      }
    }`,
    variables: (n) => ({
      input: {
        customerId: String(n % 20),
        reference: String(n % 100),
        note: 'Please leave it with the neighbours.',
        lines: [1, 2, 3].map((line) => ({ productId: String((n + line) % 60), quantity: line })),
      },
    }),
    variants: 100,
    requests: 300,
  },
  /** Fifty variables, two fetches. */
  variables: {
    query: `query Quote(${quoted.map((n) => `$product${n}: ID!, $quantity${n}: Int!`).join(', ')}) {
      quote(lines: [${quoted.map((n) => `{ productId: $product${n}, quantity: $quantity${n} }`).join(', ')}]) {
        total { amount currency }
        items { quantity product { id name } }
      }
    }`,
    variables: (n) =>
      Object.fromEntries(
        quoted.flatMap((line) => [
          [`product${line}`, String((n + line) % 60)],
          [`quantity${line}`, 1 + ((n + line) % 5)],
        ]),
      ),
    variants: 100,
    requests: 250,
  },
} satisfies Record<string, Operation>

export type OperationName = keyof typeof operations
export const operationNames = Object.keys(operations) as OperationName[]

/** The body of the nth request. `fresh` gives the text an alias that no text had before: no cache knows a plan for it. */
export function bodyOf(name: OperationName, n: number, fresh?: string): string {
  const { query, variables }: Operation = operations[name]
  const text = fresh ? query.replace(/\bname\b/, `${fresh}: name`) : query
  return JSON.stringify({ query: text, variables: variables(n) })
}
