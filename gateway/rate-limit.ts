import { z } from 'zod'
import { networkOf } from '#platform/address.ts'
import { integer, list, live, type Parsed, type processSettings } from '#platform/env.ts'
import { ServiceError } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import type { Account, Charge, Quotas } from '#platform/quota.ts'

/** Points of one quota, at the most. */
const most = 1_000_000_000

export const rateLimitSettings = {
  /** `off` counts nothing, for load tests. Refused in production. Default on. */
  RATE_LIMITS: live(z.enum(['on', 'off']).default('on')),
  /** Requests a minute from one address without a sign-in. Default 100. */
  RATE_LIMIT_ANONYMOUS: live(integer(1, most).default(100)),
  /** Cost units a minute of one user's operations. Default 20000. */
  RATE_LIMIT_COST: live(integer(1, most).default(20_000)),
  /** Root fields that are limited by address for everyone. Default: registration, and the two of a password reset. */
  RATE_LIMIT_FIELDS: live(
    list
      .refine(
        (fields) => fields.every((field) => /^(Query|Mutation)\.\w+$/.test(field)),
        'must be such as Mutation.register',
      )
      .default(['Mutation.register', 'Mutation.requestPasswordReset', 'Mutation.resetPassword']),
  ),
  /** How often a minute one address may ask for each of them. Default 10. */
  RATE_LIMIT_FIELD: live(integer(1, most).default(10)),
  /** Webhooks a minute from one address. Default 1000. */
  RATE_LIMIT_WEBHOOKS: live(integer(1, most).default(1_000)),
}

export type RateLimitConfig = Parsed<typeof rateLimitSettings>

/** Production has limits. */
export function rateLimitRule({
  NODE_ENV,
  RATE_LIMITS,
}: Partial<RateLimitConfig & Parsed<typeof processSettings>>): string[] {
  return NODE_ENV === 'production' && RATE_LIMITS === 'off' ? ['RATE_LIMITS: must be on in production'] : []
}

/** Whether a request may go on. */
export type Verdict = {
  /**
   * `RateLimit-Policy` and `RateLimit`: every quota that the request was counted in, what it is and what is left of it.
   * Empty where nothing was counted.
   */
  readonly headers: Readonly<Record<string, string>>
  /** RATE_LIMITED, with `retryAfter`. Absent: it may. */
  readonly refusal?: ServiceError
  /** Of each quota its newest state, by the name of its policy. */
  readonly counted: ReadonlyMap<string, Counted>
}

type Counted = Charge & { readonly seconds: number }

type Policy = 'cost' | 'anonymous'

/** What a request asks for, once its operations are known. */
export type Work = {
  /** Cost units of all operations together. */
  readonly cost: number
  /** Operations of a batch; 1 where there is no batch. */
  readonly operations: number
  /** How often each root field, such as `Mutation.register`, is asked for, under whatever alias. */
  readonly fields: ReadonlyMap<string, number>
}

/** Seconds that every quota here lasts. */
const seconds = 60

export type RateLimiterOptions = {
  quotas: Quotas
  /** Read at each request, so that it may change. */
  config: () => RateLimitConfig
}

/**
 * Limits what one caller may ask for in a minute, before it costs anything. Signed-in callers pay for what their operations
 * cost, all others a request of their address; some root fields are limited by address whoever asks. Nobody ever waits
 * here: a caller who has too little left is refused at once, and pays for nothing that another shares.
 */
export function createRateLimiter({ quotas, config }: RateLimiterOptions) {
  const anonymous = quotas.quota({ name: 'anonymous', points: () => config().RATE_LIMIT_ANONYMOUS, seconds })
  const cost = quotas.quota({ name: 'cost', points: () => config().RATE_LIMIT_COST, seconds })
  const field = quotas.quota({ name: 'field', points: () => config().RATE_LIMIT_FIELD, seconds })
  const webhooks = quotas.quota({ name: 'webhooks', points: () => config().RATE_LIMIT_WEBHOOKS, seconds })
  const isOff = () => config().RATE_LIMITS === 'off'

  /** Of principals that come again as the same object. */
  const accounts = new WeakMap<Principal, Account>()

  /** Whose minute a request is, and in which quota. */
  function payerOf(principal: Principal | undefined, address: string): { policy: Policy; account: Account } {
    if (!principal || principal.sub === null) return { policy: 'anonymous', account: anonymous.of(networkOf(address)) }
    const account = accounts.get(principal) ?? cost.of(principal.sub)
    accounts.set(principal, account)
    return { policy: 'cost', account }
  }

  return {
    /**
     * Before the body of a request is read. A request without a sign-in, or with a token that was refused (no principal), is
     * counted here. A signed-in one is only refused, where this process knows that nothing is left.
     */
    async atDoor(principal: Principal | undefined, address: string): Promise<Verdict> {
      if (isOff()) return allowed
      const { policy, account } = payerOf(principal, address)
      const charge = policy === 'cost' ? account.spent() : await account.charge()
      return charge ? verdictOf(new Map([[policy, { ...charge, seconds }]])) : allowed
    },

    /** Before the body of a webhook is read. */
    async forWebhook(address: string): Promise<Verdict> {
      if (isOff()) return allowed
      const charge = await webhooks.charge(networkOf(address))
      return verdictOf(new Map([['webhooks', { ...charge, seconds }]]))
    },

    /**
     * Before the operations of a request are planned: users pay their cost, at least 1 for each operation, others for each
     * operation beyond the first, and everyone for the limited fields. `door` is the request's first verdict, whose quotas
     * are told too.
     */
    async forOperations(
      principal: Principal | undefined,
      address: string,
      { cost: units, operations, fields }: Work,
      door: Verdict = allowed,
    ): Promise<Verdict> {
      if (isOff()) return allowed
      const counted = new Map(door.counted)
      const { policy, account } = payerOf(principal, address)
      const points = policy === 'cost' ? Math.max(Math.ceil(units), operations) : operations - 1
      if (points > 0) counted.set(policy, { ...(await account.charge(points)), seconds })
      // What is the caller's own first: fields are shared by all of an address, and not paid for what is not done.
      const limited = config().RATE_LIMIT_FIELDS.filter((name) => fields.has(name))
      if (limited.length > 0 && !isRefused(counted)) {
        const network = networkOf(address)
        await Promise.all(
          limited.map(async (name) => {
            const charge = await field.charge(`${network} ${name}`, fields.get(name) ?? 0)
            counted.set(name, { ...charge, seconds })
          }),
        )
      }
      return verdictOf(counted)
    },
  }
}

export type RateLimiter = ReturnType<typeof createRateLimiter>

const allowed: Verdict = { headers: {}, counted: new Map() }

function isRefused(counted: ReadonlyMap<string, Counted>): boolean {
  return counted.values().some(({ allowed }) => !allowed)
}

/** The headers are those of draft-ietf-httpapi-ratelimit-headers-11. */
function verdictOf(counted: ReadonlyMap<string, Counted>): Verdict {
  if (counted.size === 0) return allowed
  let policies = ''
  let left = ''
  let retryAfter = 0
  for (const [name, { allowed, limit, seconds, remaining, resetSeconds }] of counted) {
    const separator = policies && ', '
    policies += `${separator}"${name}";q=${limit};w=${seconds}`
    left += `${separator}"${name}";r=${remaining};t=${resetSeconds}`
    if (!allowed) retryAfter = Math.max(retryAfter, resetSeconds)
  }
  const headers = { 'ratelimit-policy': policies, ratelimit: left }
  if (retryAfter === 0) return { headers, counted }
  return {
    headers,
    counted,
    refusal: new ServiceError('RATE_LIMITED', 'Too much was asked for. Try again later.', { retryAfter }),
  }
}
