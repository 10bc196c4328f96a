import { badInput, notFound, ServiceError, signInFirst } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'

/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

/** What the catalogue says of a product. How many there are changes with every order, and is apart. */
export type Product = {
  readonly id: string
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly price: Money
  readonly categoryId: string
  /** Counts the changes of what is described here. The stock does not count. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  /** When it ceased to be for sale. Null while it is. */
  readonly archivedAt: Date | null
}

/** How many there are of a product: the stock less what is held. */
export type Stock = { readonly id: string; readonly available: number }

export type StockedProduct = Product & Stock

/** A product as it was read: with its stock, where that came along. */
export type ReadProduct = Product | StockedProduct

/** A product as it was before it was written down as JSON. Throws for what no product was. */
export function reviveProduct(value: unknown): Product {
  const { createdAt, updatedAt, archivedAt, ...rest } = value as Record<keyof Product, string | null>
  const at = (text: string | null) => {
    const time = new Date(text ?? '')
    if (Number.isNaN(time.getTime())) throw new TypeError('This is no time.')
    return time
  }
  const product = { ...rest, createdAt: at(createdAt), updatedAt: at(updatedAt) } as unknown as Product
  return { ...product, archivedAt: archivedAt === null ? null : at(archivedAt) }
}

/** What is given of a new product. */
export type NewProduct = Pick<Product, 'sku' | 'name' | 'description' | 'price' | 'categoryId'>

/** What of a product is to change. What is absent or null stays. */
export type ProductChange = {
  readonly [Field in 'name' | 'description' | 'price' | 'categoryId']?: Product[Field] | null | undefined
}

/** On whose behalf something is asked: nobody's that is known, where `sub` is null. */
export type Caller = { readonly sub: string | null; readonly scopes: readonly string[] }

/** Throws UNAUTHENTICATED for nobody and FORBIDDEN for a caller without the scope `catalog:write`. */
export function requireCatalogueWriter({ sub, scopes }: Caller): void {
  if (sub === null) throw signInFirst()
  if (!scopes.includes('catalog:write')) throw new ServiceError('FORBIDDEN', 'This needs the scope catalog:write.')
}

/** A new product by the rules, in the form in which it is kept. Throws BAD_USER_INPUT or NOT_FOUND. */
export function parseNewProduct({ sku, name, description, price, categoryId }: NewProduct): NewProduct {
  return {
    sku: parseSku(sku),
    name: parseName(name),
    description: parseDescription(description),
    price: parsePrice(price),
    categoryId: parseCategoryId(categoryId),
  }
}

/** What of a product changes, by the rules. Throws BAD_USER_INPUT or NOT_FOUND. */
export function parseProductChange({ name, description, price, categoryId }: ProductChange): Partial<NewProduct> {
  return {
    ...(name != null && { name: parseName(name) }),
    ...(description != null && { description: parseDescription(description) }),
    ...(price != null && { price: parsePrice(price) }),
    ...(categoryId != null && { categoryId: parseCategoryId(categoryId) }),
  }
}

/**
 * The product after a change of its `version`; undefined when everything was so already. Throws VERSION_CONFLICT for
 * another version than it has, and ILLEGAL_TRANSITION when it is archived.
 */
export function changeProduct(
  product: Product,
  version: number,
  change: Partial<NewProduct>,
  at: Date,
): Product | undefined {
  if (product.archivedAt) throw new ServiceError('ILLEGAL_TRANSITION', 'The product is archived.')
  if (product.version !== version) {
    throw new ServiceError('VERSION_CONFLICT', `The product has changed: its version is ${product.version} now.`)
  }
  const changed = { ...product, ...change }
  const same =
    (['name', 'description', 'categoryId'] as const).every((field) => changed[field] === product[field]) &&
    changed.price.amount === product.price.amount &&
    changed.price.currency === product.price.currency
  return same ? undefined : { ...changed, version: version + 1, updatedAt: at }
}

/** The product when it is for sale no longer; undefined when it was not already. */
export function archiveProduct(product: Product, at: Date): Product | undefined {
  if (product.archivedAt) return undefined
  return { ...product, version: product.version + 1, updatedAt: at, archivedAt: at }
}

/** How many of a product can be ordered. None of one that is archived, whatever is in stock. */
export function orderable({ available, archivedAt }: Pick<StockedProduct, 'available' | 'archivedAt'>): number {
  return archivedAt ? 0 : available
}

/** Refuses a SKU that another product has. */
export function takenSku(): ServiceError {
  return badInput('sku', 'Another product has this SKU.')
}

/** Refuses a category that is not there. */
export function noSuchCategory(field: string): ServiceError {
  const { code, message } = notFound('category')
  return new ServiceError(code, message, { field })
}

/** Letters and digits without accents, in groups: it stands in URLs, on labels and in spreadsheets. */
const skuShape = /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/
const longestSku = 64
const longestName = 200
const longestDescription = 5_000

/** Whether some product could have this SKU. What is none is not looked for: it may be of any length, and no text to a database. */
export function isSku(text: string): boolean {
  return text.length <= longestSku && skuShape.test(text)
}

function parseSku(text: string): string {
  const sku = text.trim()
  if (!isSku(sku)) {
    throw badInput('sku', `A SKU is 1 to ${longestSku} letters and digits, with single . - or _ between them.`)
  }
  return sku
}

function parseName(text: string): string {
  return parseText('name', wellFormed('name', text), longestName)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused. Lines may break, and have tabs.
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f]/

/** Several lines, or none at all. */
function parseDescription(value: string): string {
  const text = wellFormed('description', value).replaceAll('\r\n', '\n').trim().normalize('NFC')
  if (text.length > longestDescription) {
    throw badInput('description', `This has at most ${longestDescription} characters.`)
  }
  if (controlCharacters.test(text)) throw badInput('description', 'This has no control characters.')
  return text
}

/** Half a character is stored as something else than was sent. */
function wellFormed(field: string, text: string): string {
  if (!text.isWellFormed()) throw badInput(field, 'This is not Unicode text.')
  return text
}

/** What GraphQL's Int and the database hold. */
export const largestAmount = 2 ** 31 - 1

function parsePrice({ amount, currency }: Money): Money {
  if (!Number.isInteger(amount) || amount < 0 || amount > largestAmount) {
    throw badInput('price.amount', `An amount is 0 to ${largestAmount} minor units.`)
  }
  return { amount, currency: parseCurrency('price.currency', currency) }
}

/** ISO 4217, as far as the world's currencies are known here. */
const currencies = new Set(Intl.supportedValuesOf('currency'))

/** Throws BAD_USER_INPUT. */
export function parseCurrency(field: string, code: string): string {
  if (!currencies.has(code)) throw badInput(field, 'A currency is an ISO 4217 code such as EUR.')
  return code
}

function parseCategoryId(text: string): string {
  const id = parseId(text)
  if (!id) throw noSuchCategory('categoryId')
  return id
}
