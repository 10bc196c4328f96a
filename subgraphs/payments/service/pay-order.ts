import { notFound, ServiceError, signInFirst } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import { declineTime, mayBeAskedAgain, openPayment, type PayableOrder, type Payment } from '../domain/payment.ts'
import { type PayRequest, parsePayRequest } from '../domain/request.ts'
import type { Addition } from '../store.ts'
import type { PaymentsDependencies } from './dependencies.ts'
import { type Facts, paymentEvents } from './facts.ts'
import type { Outcomes } from './outcomes.ts'

/** Milliseconds that an outcome is waited for before the provider's answer is written, and after it. */
const moment = 60
const outcomeTime = 1_000
/** Milliseconds between looks for an outcome that another instance was told of: doubled from the first to the longest. */
const firstLook = 20
const longestLook = 200
/** Kept for the answer to arrive. */
const answerTime = 500

/** Why an order takes no payment. */
const refusals: Record<Exclude<Addition, 'added' | 'customer declined'>, string> = {
  'key taken': 'This order has a payment already.',
  'order taken': 'This order has a payment already.',
  'order closed': 'An order that is CANCELLED cannot be paid.',
  'declined too often': 'Payments of this order were declined too often.',
}

type News = ReturnType<Outcomes['listen']>
/** For how many milliseconds an outcome is waited for, and what tells of it in this process. */
const notPayable = (why: string) => new ServiceError('ILLEGAL_TRANSITION', why)

type Patience = { within?: number; news?: News }

/**
 * Pays an order, once for each customer and idempotency key: writes the payment, asks the provider, writes what it says.
 * The payment's id is the key under which the provider is asked, so that a repeat charges nothing twice. For an order that
 * costs nothing it is not asked at all.
 *
 * Guarantee: whatever dies and whenever, an order is charged once or not at all, and a charge is never lost: a payment
 * whose outcome is not known stays PENDING until the provider has told, or surely knows our key no longer (reconcile.ts).
 */
export function createPayOrder(dependencies: PaymentsDependencies, facts: Facts, outcomes: Outcomes) {
  const { store, findOrder, provider, now, newId, patience, timeLeft, sleep, onUnanswered } = dependencies
  const { mostDeclinedAnHour } = dependencies

  /**
   * Throws UNAUTHENTICATED, BAD_USER_INPUT, IDEMPOTENCY_KEY_REUSED; NOT_FOUND for another's order; ILLEGAL_TRANSITION for an
   * order that is not to be paid, or was declined too often; RATE_LIMITED for a customer who was; SUBGRAPH_UNAVAILABLE or
   * SUBGRAPH_TIMEOUT when orders could not answer.
   */
  return async function payOrder(
    viewer: Principal,
    input: { orderId: string; paymentMethod: string; idempotencyKey: string },
  ): Promise<Payment> {
    if (viewer.sub === null) throw signInFirst()
    const request = parsePayRequest(input)
    // Both at once, since most payments need both. Why there is no order is of interest only where there is no payment.
    const found = findOrder(request.orderId)
    found.catch(() => {})
    const known = await repeated(viewer.sub, request)
    if (known) return (await isToBeAsked(known)) ? ask(known) : settled(known)

    const order = await found
    if (!order || order.customerId !== viewer.sub) throw notFound('order')
    const begun = await begin(order, request)
    if (!(begun instanceof ServiceError)) return isOpen(begun) ? ask(begun) : begun
    // Perhaps it was a twin that began, which asks the provider itself.
    const twin = await repeated(viewer.sub, request)
    if (twin) return settled(twin)
    throw begun
  }

  /** Whether the provider, which may not have heard of a payment, is to be asked for it once more. */
  async function isToBeAsked(payment: Payment): Promise<boolean> {
    const { status, reference, orderId } = payment
    if (status !== 'PENDING' || reference !== null || !mayBeAskedAgain(payment, now())) return false
    return !(await store.isClosed(orderId))
  }

  /** What was asked for under the same key. Throws IDEMPOTENCY_KEY_REUSED for something else. */
  async function repeated(customerId: string, { idempotencyKey, inputHash }: PayRequest): Promise<Payment | undefined> {
    const known = await store.findByKey(customerId, idempotencyKey)
    if (!known || known.inputHash === inputHash) return known?.payment
    throw new ServiceError('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another payment.', {
      field: 'idempotencyKey',
    })
  }

  /** A payment that is written, for an order that waits for one; otherwise why there is none. */
  async function begin(order: PayableOrder, request: PayRequest): Promise<Payment | ServiceError> {
    const { id: orderId, number: orderNumber, customerId, status, total: amount, payableUntil } = order
    if (status !== 'PENDING') return notPayable(`An order that is ${status} cannot be paid.`)
    // Its items may be gone by the time that the money is there.
    if (payableUntil && payableUntil <= now()) return notPayable('The time in which this order could be paid is over.')
    const { method } = request
    const payment = openPayment({ id: newId(), orderId, orderNumber, customerId, amount, method }, now())
    const addition = await add(payment, request)
    if (addition === 'added') return payment
    return addition === 'customer declined' ? declinedOfLate(customerId) : notPayable(refusals[addition])
  }

  async function declinedOfLate(customerId: string): Promise<ServiceError> {
    const oldest = await store.findDecline(customerId, mostDeclinedAnHour() - 1)
    const wait = (oldest?.getTime() ?? 0) + declineTime - now().getTime()
    const retryAfter = Math.max(1, Math.ceil(wait / 1_000))
    return new ServiceError('RATE_LIMITED', 'Too many payments were declined. Try again later.', { retryAfter })
  }

  /** Adds a payment, in place of one that its payer left unconfirmed. */
  async function add(payment: Payment, { idempotencyKey, inputHash }: PayRequest) {
    const lookAt = new Date(now().getTime() + patience)
    const [most, events] = [mostDeclinedAnHour(), paymentEvents(payment)]
    const asked = { idempotencyKey, inputHash, lookAt, mostDeclinedAnHour: most, events }
    const addition = await store.add(payment, asked)
    if (addition !== 'order taken') return addition
    const others = await store.findByOrders([payment.orderId])
    const open = others.find(({ status }) => status === 'PENDING')
    if (!open?.nextAction || open.reference === null) return addition
    const fact = await provider.cancel({ ...open, reference: open.reference })
    const left = await facts.learnOfPayment(fact)
    return left?.status === 'DECLINED' ? store.add(payment, asked) : addition
  }

  /** Asks the provider for the money. */
  async function ask(payment: Payment): Promise<Payment> {
    // Before it is asked, since it may call back sooner than it answers.
    const news = outcomes.listen(payment.id)
    try {
      return await settled(await asked(payment, news), { news })
    } finally {
      news.end()
    }
  }

  /**
   * The payment with what the provider answers, or as it is where that is nothing. An answer that leaves all to the provider is
   * written only where the outcome does not follow in a moment: until then asking once more does as well as its reference.
   */
  async function asked(payment: Payment, news: News): Promise<Payment> {
    try {
      const fact = await provider.pay(payment)
      const mayFollow = fact.state === 'pending' && fact.nextAction === null
      // A look that fails leaves all the more reason to write.
      const look = () => settled(payment, { within: moment, news }).catch(() => payment)
      const current = mayFollow ? await look() : payment
      return isOpen(current) ? ((await facts.learnOfPayment(fact)) ?? payment) : current
    } catch (error) {
      onUnanswered({ payment: payment.id }, error)
      return payment
    }
  }

  /** The payment once its outcome is known, or as it is when that takes too long. */
  async function settled(payment: Payment, { within = outcomeTime, news }: Patience = {}): Promise<Payment> {
    let current = payment
    for (let look = firstLook, waited = 0; isOpen(current); look = Math.min(longestLook, look * 2)) {
      waited += look
      if (waited > within || timeLeft() - look < answerTime) break
      const heard = await Promise.race([sleep(look).then(() => undefined), ...(news ? [news.heard] : [])])
      current = heard ?? (await store.findPayments([payment.id]))[0] ?? current
    }
    return current
  }
}

/** Whether nobody has to do anything but the provider. */
function isOpen({ status, nextAction }: Payment): boolean {
  return status === 'PENDING' && nextAction === null
}
