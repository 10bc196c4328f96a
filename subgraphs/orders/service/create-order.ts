import { orderCreated } from '#contracts/events.ts'
import { hasCode, ServiceError, signInFirst } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import { accountGone, type Order, placeOrder } from '../domain/order.ts'
import { hashRequest, type OrderInput, type OrderRequest, parseRequest } from '../domain/request.ts'
import type { Lease } from '../store/claims.ts'
import type { OrdersDependencies } from './dependencies.ts'

/** Milliseconds between looks at a claim that another request works on, and kept for the answer to arrive. */
const firstLook = 20
const longestLook = 200
const answerTime = 200
/** How often one attempt begins anew with a reservation that has ended. */
const mostRenewals = 3

/**
 * Places an order, once for each customer and idempotency key, by the claim protocol of docs/adr/0005-order-claim.md:
 * claim the key; hold the items under the claim's order id; in one transaction write the order, its event and the
 * claim's completion. Whoever holds the claim's lease works; others wait for the result.
 *
 * Guarantee: whatever dies and whenever, there is one order or none, and nothing stays held without an order beyond
 * the hold's end.
 */
export function createCreateOrder(dependencies: OrdersDependencies) {
  const { store, users, products, now, newId, newNumber, leaseTime, mostUnpaid, timeLeft } = dependencies
  const { sleep, onUnreleased } = dependencies

  /**
   * Throws UNAUTHENTICATED, BAD_USER_INPUT, NOT_FOUND, INSUFFICIENT_STOCK, TOO_MANY_UNPAID_ORDERS, IDEMPOTENCY_KEY_REUSED;
   * IN_PROGRESS when the same request is still under way; SUBGRAPH_UNAVAILABLE or SUBGRAPH_TIMEOUT when a peer could not answer.
   */
  return async function createOrder(viewer: Principal, input: OrderInput): Promise<Order> {
    if (viewer.sub === null) throw signInFirst()
    const customerId = viewer.sub
    const request = parseRequest(input)
    const inputHash = hashRequest(request)
    await users.requireUser(customerId)

    for (let look = firstLook; ; look = Math.min(longestLook, look * 2)) {
      const claim = await store.claim({
        customerId,
        idempotencyKey: request.idempotencyKey,
        inputHash,
        orderId: newId(),
        token: newId(),
        at: now(),
        until: new Date(now().getTime() + leaseTime),
        mostUnpaid: mostUnpaid(),
      })
      if (claim.state === 'completed') return claim.order
      if (claim.state === 'account erased') throw accountGone()
      if (claim.state === 'too many unpaid') throw tooManyUnpaid()
      if (claim.state === 'other input') {
        throw new ServiceError('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another order.', {
          field: 'idempotencyKey',
        })
      }
      const placed = claim.state === 'leased' ? await work(claim.lease, request) : undefined
      if (placed) return placed
      if (timeLeft() - look < answerTime) {
        throw new ServiceError('IN_PROGRESS', 'The same request is under way. Send it again.', { retryAfter: 1 })
      }
      await sleep(look)
    }
  }

  /** One attempt. Undefined when another one has taken over. */
  async function work(lease: Lease, request: OrderRequest): Promise<Order | undefined> {
    const hold = await reserve(lease, request)
    if (!hold) return undefined
    try {
      for (;;) {
        const order = placeOrder(
          {
            id: hold.lease.orderId,
            number: newNumber(),
            customerId: lease.customerId,
            lines: hold.lines,
            heldUntil: hold.heldUntil,
            shippingAddress: request.shippingAddress,
          },
          now(),
        )
        const outcome = await store.place(order, hold.lease, [created(order)], mostUnpaid())
        if (outcome === 'placed') return order
        if (outcome === 'lease lost') return undefined
        if (outcome === 'account erased') throw accountGone()
        if (outcome === 'too many unpaid') throw tooManyUnpaid()
      }
    } catch (error) {
      return giveUp(hold.lease, error, { mayBeHeld: true })
    }
  }

  async function reserve(lease: Lease, { items }: OrderRequest) {
    for (let renewals = 0, current = lease; ; renewals++) {
      try {
        return { lease: current, ...(await products.reserve(current.orderId, items)) }
      } catch (error) {
        // What was held for an earlier attempt is gone: the claim goes on under another order id.
        if (hasCode(error, 'RESERVATION_ENDED') && renewals < mostRenewals) {
          const renewed = await store.renew(current, newId())
          if (!renewed) return undefined
          current = renewed
          continue
        }
        // A refusal means that nothing is held; an answer that did not come means nothing.
        const refused = error instanceof ServiceError && !error.retryable && error.code !== 'INTERNAL_SERVER_ERROR'
        await giveUp(current, error, { mayBeHeld: !refused })
        return undefined
      }
    }
  }

  /**
   * Ends an attempt that failed: the key becomes free, and then, since nobody can place an order under this id any more,
   * what may be held is released. Returns the order when it was placed after all, its commit being unclear; nothing
   * when another attempt has taken over; else throws the error.
   */
  async function giveUp(
    lease: Lease,
    error: unknown,
    { mayBeHeld }: { mayBeHeld: boolean },
  ): Promise<Order | undefined> {
    const outcome = await store.free(lease)
    if (outcome.state === 'completed') return outcome.order
    if (outcome.state === 'lost') return undefined
    if (mayBeHeld) {
      await products.release(lease.orderId).catch((failure) => onUnreleased(lease.orderId, failure))
    }
    throw error
  }
}

function tooManyUnpaid(): ServiceError {
  const message = 'Too many of your orders wait to be paid. Pay or cancel one, and place this one again.'
  return new ServiceError('TOO_MANY_UNPAID_ORDERS', message)
}

function created(order: Order) {
  const { id: orderId, number, customerId, lines, total } = order
  return orderCreated.of({ orderId, number, customerId, items: [...lines], total })
}
