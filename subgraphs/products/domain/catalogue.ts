/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

export type Product = {
  readonly id: string
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly price: Money
  readonly categoryId: string
  /** The stock less what is held. */
  readonly available: number
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

export type Category = { readonly id: string; readonly name: string; readonly parentId: string | null }
