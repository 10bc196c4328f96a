import type { Prisma } from '#generated/prisma/orders/client.ts'
import type { Address } from '../domain/order.ts'
import { addressColumns, toAddress, toAddressColumns } from './rows.ts'

type Transaction = Prisma.TransactionClient

/** The advisory locks by which claims of a customer and their erasure take turns: those of `is_erased`, too. */
const customerLocks = 7_340_021

/**
 * Whether a customer is erased. Lets an erasure wait for the end of the transaction, after waiting for one that is under way;
 * the next statement sees what it did.
 */
export async function isErased(sql: Pick<Transaction, '$queryRaw'>, customerId: string): Promise<boolean> {
  const [row] = await sql.$queryRaw<{ erased: boolean }[]>`SELECT is_erased(${customerId}::uuid) AS erased`
  return row?.erased ?? false
}

/**
 * Takes from a customer what is personal, and leaves a mark by which no claim is given to them again.
 *
 * Guarantee: an order that is being placed at the same time is blanked too, or is not placed. Its claim was either given
 * before, and is then completed or taken away here, or is refused by the mark.
 */
export async function eraseCustomer(
  tx: Transaction,
  customerId: string,
  at: Date,
  blank: (address: Address) => Address,
): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${customerLocks}::int, hashtext(${customerId}::uuid::text))`
  await tx.$executeRaw`
    INSERT INTO erasures (customer_id, erased_at) VALUES (${customerId}::uuid, ${at}) ON CONFLICT DO NOTHING`
  // Waits for a transaction that places an order; without its claim a later one has no effect.
  await tx.claim.deleteMany({ where: { customerId, completedAt: null } })
  // The other claims tell that their orders are there. The address is part of what was hashed.
  await tx.claim.updateMany({ where: { customerId }, data: { inputHash: '' } })
  await changeAddresses(tx, customerId, blank)
}

async function changeAddresses(
  tx: Transaction,
  customerId: string,
  change: (address: Address) => Address,
): Promise<void> {
  const rows = await tx.order.findMany({ where: { customerId }, select: { id: true, ...addressColumns } })
  const changed = rows.map(({ id, ...columns }) => ({ id, ...toAddressColumns(change(toAddress(columns))) }))
  await tx.$executeRaw`
    UPDATE orders SET ship_name = "shipName", ship_line1 = "shipLine1", ship_line2 = "shipLine2", ship_city = "shipCity",
      ship_region = "shipRegion", ship_postal_code = "shipPostalCode", ship_country = "shipCountry"
    FROM jsonb_to_recordset(${JSON.stringify(changed)}::jsonb) AS changed (id uuid, "shipName" text, "shipLine1" text,
      "shipLine2" text, "shipCity" text, "shipRegion" text, "shipPostalCode" text, "shipCountry" text)
    WHERE orders.id = changed.id`
}
