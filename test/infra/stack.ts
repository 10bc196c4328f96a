import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { Agent, request } from 'undici'
import { isTransientDatabaseError } from '#platform/database/failures.ts'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../../subgraphs/products/store.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { ensureSecrets } from '../../tools/infra/secrets.ts'
import { type ServiceName, serviceNames } from '../../tools/services.ts'
import { createStack, type Ports, type ProcessName, processNames, type StackOptions } from '../../tools/stack.ts'
import { createTestDatabase, kafkaBrokers } from './parts.ts'
import { waitFor } from './wait.ts'

export type GraphQLResult = {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: the answer to any query.
  data: any
  extensions?: Record<string, unknown>
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> & { code: string } }[]
}

/** The password of every customer who signs up. */
export const customerPassword = 'correct horse battery'

/** A customer who is signed in. */
export type Account = { id: string; email: string; token: string; refreshToken: string }

export type TestStackOptions = {
  events?: 'PostgreSQL' | 'Kafka'
  /** Kafka's brokers. Default: those of all tests. */
  brokers?: string
  extra?: StackOptions['extra']
  /** The services' databases. Default: of the stack's own, on the server of all tests. */
  databases?: Record<ServiceName, string>
  /** What there is one more instance of, with the same database, for each time that it is named. */
  twins?: readonly ProcessName[]
  /** Milliseconds for which a process that stops still serves. Default 0. */
  shutdownDelay?: number
}

/** The whole shop on free ports, with databases of its own. */
export async function startTestStack(wanted: TestStackOptions = {}) {
  const { events = 'PostgreSQL', brokers = kafkaBrokers(), extra = {}, twins = [], shutdownDelay = 0 } = wanted
  const folder = mkdtempSync(join(tmpdir(), 'commerce-stack-'))
  const secrets = await ensureSecrets(folder, [], processNames)
  const databases = wanted.databases ?? (await createTestDatabases())
  const { ports, twinsPorts } = await portsOf(twins)
  const output: string[] = []
  const options: StackOptions = {
    ports,
    twins: twinsPorts,
    secrets,
    databases,
    events:
      events === 'Kafka'
        ? { KAFKA_BROKERS: brokers ?? '', KAFKA_PREFIX: `${randomUUID()}.` }
        : { EVENTS_DATABASE_URL: await createTestDatabase() },
    mailFolder: join(folder, 'mail'),
    smsFolder: join(folder, 'sms'),
    pushFolder: join(folder, 'push'),
    auditLog: join(folder, 'audit.log'),
    env: { SHUTDOWN_DELAY: String(shutdownDelay), GRPC_TIMEOUT: '10000' },
    extra: { ...extra, ...unlimited(extra) },
    longestPause: 200,
    onLine: (name, line) => {
      output.push(`${name} ${line}`)
      if (process.env.TEST_OUTPUT) console.log(name, line)
    },
    onCrash: (name, how) => output.push(`${name} ended: ${how}`),
  }
  const stack = createStack(options)
  const agent = new Agent({ connections: 256, headersTimeout: 90_000 })

  /** Sends a body to a process as it is. */
  async function post(url: string, body: string, headers: Record<string, string> = {}): Promise<GraphQLResult> {
    const response = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    const { data, errors: found = [], extensions } = (await response.body.json()) as Partial<GraphQLResult>
    // What no two requests have in common, so that their answers can be compared.
    const errors = found.map(({ extensions: { traceId, ...rest }, ...error }) => ({ ...error, extensions: rest }))
    return { status: response.statusCode, data, errors, ...(extensions && { extensions }) }
  }

  const graphql = (query: string, variables: object = {}, token?: string) =>
    post(stack.url, JSON.stringify({ query, variables }), token ? { authorization: `Bearer ${token}` } : {})

  /** Sends `createOrder`. */
  function createOrder(
    token: string | undefined,
    items: object[],
    idempotencyKey: string = randomUUID(),
    address: object = {},
  ) {
    const street = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }
    const shippingAddress = { ...street, ...address }
    return graphql(createOrderMutation, { input: { items, shippingAddress, idempotencyKey } }, token)
  }

  /** Sends one mutation and returns its payload too. */
  async function mutate(name: string, fields: string, input: object, token?: string) {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`
    const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${fields} } }`
    const result = await graphql(query, { input }, token)
    return { ...result, payload: result.data?.[name] }
  }

  /** Creates an account. A stack that is too busy for it is asked again, for another. Throws what it says otherwise. */
  async function signUp(): Promise<Account> {
    const { payload } = await untilTaken(() => {
      const input = { name: 'Eve Example', email: `${randomUUID()}@example.com`, password: customerPassword }
      return mutate('register', 'accessToken refreshToken user { id email }', input)
    })
    const { user, accessToken, refreshToken } = payload
    return { ...user, token: accessToken, refreshToken }
  }

  const pools = new Map<string, pg.Pool>()
  /** Looks into a service's database. */
  async function sql(service: ServiceName, query: string, values: unknown[] = []) {
    const pool = pools.get(service) ?? openPool(databases[service])
    pools.set(service, pool)
    return (await pool.query(query, values)).rows
  }

  await stack.start()
  return {
    ...stack,
    ports,
    secrets,
    databases,
    /** The variables that name the event log. */
    eventLog: options.events,
    output,
    mailFolder: join(folder, 'mail'),
    smsFolder: join(folder, 'sms'),
    pushFolder: join(folder, 'push'),
    /** The entries of the audit log so far. */
    audited: () => readLines(join(folder, 'audit.log')),
    post,
    graphql,
    sql,
    createOrder,
    mutate,

    signUp,

    /** Creates an account of somebody of the shop. */
    async employ(role: 'SUPPORT' | 'MANAGER' | 'ADMIN'): Promise<Account> {
      const account = await signUp()
      await sql('users', 'UPDATE users SET roles = ARRAY[$2::role] WHERE id = $1', [account.id, role])
      const { email } = account
      const input = { email, password: customerPassword }
      const { payload } = await untilTaken(() => mutate('login', 'accessToken refreshToken', input))
      return { ...account, token: payload.accessToken, refreshToken: payload.refreshToken }
    },

    /** Adds products with this much stock each and returns their ids. */
    async addProducts(...stocks: number[]): Promise<string[]> {
      const database = openDatabase({ name: 'test', url: databases.products, poolSize: 1, log })
      const store = createProductsStore(database.adapter)
      const at = new Date()
      const category = { id: randomUUID(), name: randomUUID(), parentId: null }
      const products = stocks.map((available, index) => ({
        id: randomUUID(),
        sku: randomUUID(),
        name: `Thing ${index}`,
        description: 'A thing.',
        price: { amount: 1_000 + index, currency: 'EUR' },
        categoryId: category.id,
        available,
        version: 1,
        createdAt: at,
        updatedAt: at,
      }))
      // What is there already is left as it is.
      await untilStored(() => store.addCatalogue([category], products))
      await store.close()
      await database.close()
      return products.map(({ id }) => id)
    },

    /** Places an order that must succeed, and returns its id. */
    async placeOrder(token: string, ...productIds: string[]): Promise<string> {
      const items = productIds.map((productId) => ({ productId, quantity: 1 }))
      const key = randomUUID()
      const { data } = await untilTaken(() => createOrder(token, items, key))
      return data.createOrder.order.id
    },

    /** Cancels an order, which must be taken. */
    async cancelOrder(token: string, orderId: string, reason: string): Promise<void> {
      await untilTaken(() => mutate('cancelOrder', 'order { status }', { orderId, reason }, token))
    },

    /** Pays an order, which must be taken, and returns the payment's id. */
    async payOrder(token: string, orderId: string, paymentMethod = 'pm_card_visa'): Promise<string> {
      const input = { orderId, paymentMethod, idempotencyKey: randomUUID() }
      const { payload } = await untilTaken(() => mutate('payOrder', 'payment { id }', input, token))
      return payload.payment.id
    },

    async stop(): Promise<void> {
      await Promise.all([...pools.values()].map((pool) => pool.end()))
      await stack.stop()
      await agent.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type TestStack = Awaited<ReturnType<typeof startTestStack>>

const createOrderMutation = `
  mutation ($input: CreateOrderInput!) {
    createOrder(input: $input) {
      order { id number status total { amount currency } items { sku name quantity unitPrice { amount } lineTotal { amount } } }
    }
  }`

/** Repeats what does no harm twice while a stack is too busy for it, as `codes` say. Throws what it says otherwise. */
export function untilTaken<Result extends GraphQLResult>(
  send: () => Promise<Result>,
  codes: readonly string[] = busyCodes,
): Promise<Result> {
  return waitFor('it to be taken', async () => {
    const result = await send()
    const isBusy = result.errors.some(({ extensions }) => codes.includes(extensions.code))
    if (!isBusy) assert.deepEqual(result.errors, [])
    return !isBusy && result
  })
}

/** Repeats what does no harm twice while the database stands still for longer than a statement may take. */
export function untilStored(store: () => Promise<unknown>): Promise<boolean> {
  return waitFor('it to be stored', async () => {
    try {
      await store()
      return true
    } catch (error) {
      if (!isTransientDatabaseError(error)) throw error
      return false
    }
  })
}

/** What a shop says that is whole, on a machine that stands still for seconds: a wait, a call or a new connection took too long. */
export const busyCodes = ['OVERLOADED', 'SUBGRAPH_TIMEOUT', 'SUBGRAPH_UNAVAILABLE']
/** Those of them that no process causes which is killed or stopped. */
export const slowCodes = ['OVERLOADED', 'SUBGRAPH_TIMEOUT']

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 2 })
  // A server that a drill kills ends connections that nobody uses just then.
  return pool.on('error', () => {})
}

async function createTestDatabases(): Promise<Record<ServiceName, string>> {
  const urls = await Promise.all(serviceNames.map(async (name) => [name, await createTestDatabase(name)] as const))
  return Object.fromEntries(urls) as Record<ServiceName, string>
}

/** The JSON lines of a file that may not be there yet. */
function readLines(file: string): Record<string, unknown>[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line))
}

/** All calls of a test come from one address: no limits, unless it sets some. And a machine that is busy is no shop that fails. */
function unlimited({
  gateway,
  users,
  orders,
  payments,
}: NonNullable<StackOptions['extra']>): NonNullable<StackOptions['extra']> {
  const many = '1000000'
  return {
    gateway: { ...gateway, env: { RATE_LIMITS: 'off', ...patient, ...gateway?.env } },
    users: { ...users, env: { WRONG_PASSWORDS: many, WRONG_PASSWORDS_PER_ADDRESS: many, ...users?.env } },
    payments: { ...payments, env: { MAX_DECLINED_PAYMENTS: many, ...payments?.env } },
    orders: { ...orders, env: { MAX_UNPAID_ORDERS: many, ...orders?.env } },
  }
}

/** Limits of the gateway that a machine which is busy does not reach. */
export const patient = { MAX_EVENT_LOOP_DELAY: '0', REQUEST_TIMEOUT: '60000', SUBGRAPH_TIMEOUT: '50000' }

/** Ports for all processes, and for each twin. */
async function portsOf(
  twins: readonly ProcessName[],
): Promise<{ ports: Ports; twinsPorts: NonNullable<StackOptions['twins']> }> {
  const free = await freePorts((processNames.length + twins.length) * 2)
  const next = () => ({ http: free.pop() ?? 0, grpc: free.pop() ?? 0 })
  const ports = Object.fromEntries(processNames.map((name) => [name, next()])) as Ports
  const twinsPorts = processNames.map((name) => [name, twins.filter((twin) => twin === name).map(next)])
  return { ports, twinsPorts: Object.fromEntries(twinsPorts) }
}
