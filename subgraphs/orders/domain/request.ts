import { createHash } from 'node:crypto'
import { badInput, ServiceError } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'
import type { Address } from './order.ts'

export type OrderItem = { readonly productId: string; readonly quantity: number }

/** What a customer asks for, by the rules and in the form that is compared. */
export type OrderRequest = {
  readonly items: readonly OrderItem[]
  readonly shippingAddress: Address
  readonly idempotencyKey: string
}

/** The same as the customer wrote it. */
export type OrderInput = {
  readonly items: readonly OrderItem[]
  readonly shippingAddress: { readonly [Field in keyof Address]?: Address[Field] | null | undefined }
  readonly idempotencyKey: string
}

const mostLines = 100
const largestQuantity = 1000

/** Reads what a customer asks for. Throws BAD_USER_INPUT, or NOT_FOUND for what cannot be a product. */
export function parseRequest(input: OrderInput): OrderRequest {
  return {
    items: parseItems(input.items),
    shippingAddress: parseAddress(input.shippingAddress),
    idempotencyKey: parseText('idempotencyKey', input.idempotencyKey, 200),
  }
}

/** Tells whether two requests ask for the same. The order of the lines counts, since the order keeps it. */
export function hashRequest({ items, shippingAddress }: OrderRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([items, shippingAddress]))
    .digest('base64url')
}

function parseItems(items: readonly OrderItem[]): OrderItem[] {
  if (items.length < 1 || items.length > mostLines) throw badInput('items', `An order has 1 to ${mostLines} lines.`)
  const seen = new Set<string>()
  return items.map(({ productId, quantity }, index) => {
    if (quantity < 1 || quantity > largestQuantity) {
      throw badInput(`items.${index}.quantity`, `A quantity is 1 to ${largestQuantity}.`)
    }
    const id = parseId(productId)
    if (!id) throw new ServiceError('NOT_FOUND', 'There is no such product.', { field: `items.${index}.productId` })
    if (seen.has(id)) throw badInput(`items.${index}.productId`, 'Each product stands in one line.')
    seen.add(id)
    return { productId: id, quantity }
  })
}

/** ISO 3166-1 alpha-2, the codes that are officially assigned. */
const countries = new Set(
  `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
  CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
  GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
  KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
  MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
  SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
  UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`.split(/\s+/),
)

function parseAddress(address: OrderInput['shippingAddress']): Address {
  const text = (field: 'name' | 'line1' | 'city' | 'postalCode', most: number) =>
    parseText(`shippingAddress.${field}`, address[field] ?? '', most)
  const optional = (field: 'line2' | 'region', most: number) =>
    address[field]?.trim() ? parseText(`shippingAddress.${field}`, address[field], most) : null
  const country = address.country?.trim().toUpperCase() ?? ''
  if (!countries.has(country)) {
    throw badInput('shippingAddress.country', 'A country is an ISO 3166-1 alpha-2 code such as DE.')
  }
  return {
    name: text('name', 100),
    line1: text('line1', 200),
    line2: optional('line2', 200),
    city: text('city', 100),
    region: optional('region', 100),
    postalCode: text('postalCode', 20),
    country,
  }
}
