import type { Behaviour } from './methods.ts'

/** Asks PostgreSQL. */
export type Query = <Row extends Record<string, unknown>>(text: string, values: unknown[]) => Promise<{ rows: Row[] }>

export type Charge = {
  /** What the shop calls it. */
  id: string
  /** What the sandbox calls it. Nobody can guess it. */
  reference: string
  amount: number
  currency: string
  method: string
  status: 'processing' | 'requires_action' | 'captured' | 'declined'
  reason: string | null
}

export type ChargeRefund = {
  id: string
  reference: string
  charge_id: string
  amount: number
  status: 'pending' | 'succeeded' | 'failed'
}

/** Milliseconds between the attempts at a callback: doubled from the first to the longest, for three days. */
const pauses = { first: 500, longest: 60_000 }
const kept = '3 days'
/** Milliseconds by which what is told out of order comes too late. */
const tooLate = 200
const uniqueViolation = '23505'

/** What is to be sent. */
export type Callback = { id: string; body: string }

/**
 * Puts what happened to `rows`, a table of charges or refunds, among the callbacks, `copies` times each. `due`: milliseconds after
 * which they are sent, should nobody have sent them before.
 */
const tell = (about: 'charge' | 'refund', rows: string, copies: string, due = 0) => `
  event AS (
    SELECT r.id, jsonb_build_object('id', 'evt_' || gen_random_uuid(), 'about', '${about}', '${about}', to_jsonb(r))::text AS body
    FROM ${rows} r
  ), told AS (
    INSERT INTO sandbox.callbacks (body, next_attempt_at)
    SELECT body, now() + ${due} * interval '1 ms' FROM event, generate_series(1, ${copies}) RETURNING id, body
  )`

/**
 * The sandbox's own books: charges, refunds and the callbacks that are to be sent, in tables that the shop never sees. What
 * happens and the callback that tells of it are written by one statement.
 */
export function createLedger(query: Query) {
  const one = async <Row extends Record<string, unknown>>(text: string, values: unknown[]): Promise<Row | undefined> =>
    (await query<Row>(text, values)).rows[0]
  const findById = (id: string) => one<Charge>('SELECT * FROM sandbox.charges WHERE id = $1', [id])

  return {
    findById,
    find: (reference: string) => one<Charge>('SELECT * FROM sandbox.charges WHERE reference = $1', [reference]),

    /**
     * Adds a charge, unless there is one with its id already: then that one is the answer, without `callbacks`. Those are for
     * the caller to send, and are sent a little later should it not.
     */
    async add(
      charge: Omit<Charge, 'status' | 'reason'>,
      behaviour: Behaviour,
    ): Promise<{ charge: Charge; callbacks?: Callback[] }> {
      const { outcome, reason = null, delay = 0, reordered = false } = behaviour
      const status = outcome === 'captured' && (delay > 0 || reordered) ? 'processing' : outcome
      const copies = status === 'processing' || status === 'requires_action' ? 0 : (behaviour.copies ?? 1)
      const added = await one<Charge & { callbacks: Callback[] }>(
        `WITH added AS (
           INSERT INTO sandbox.charges (id, reference, amount, currency, method, status, reason, settles_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8 * interval '1 s') ON CONFLICT (id) DO NOTHING RETURNING *
         ), ${tell('charge', 'added', '$9::int', pauses.first)}
         SELECT added.*, (SELECT coalesce(json_agg(json_build_object('id', id::text, 'body', body)), '[]') FROM told) AS callbacks FROM added`,
        [charge.id, charge.reference, charge.amount, charge.currency, charge.method, status, reason, delay, copies],
      )
      if (added) {
        const { callbacks, ...charge } = added
        return { charge, callbacks }
      }
      const known = await findById(charge.id)
      if (!known) throw new Error('A charge is neither new nor there.')
      return { charge: known }
    },

    /** Ends a charge that still has a choice. Undefined when it had none. */
    end: (reference: string, status: 'captured' | 'declined', reason: string | null) =>
      one<Charge>(
        `WITH ended AS (
           UPDATE sandbox.charges SET status = $2, reason = $3
           WHERE reference = $1 AND status IN ('processing', 'requires_action') RETURNING *
         ), ${tell('charge', 'ended', '1')}
         SELECT * FROM ended`,
        [reference, status, reason],
      ),

    /** Captures up to `limit` charges whose time has come. True when there may be more. */
    async settle(behaviourOf: (method: string) => Behaviour | undefined, limit: number): Promise<boolean> {
      const { rows: due } = await query<Charge>(
        `SELECT id, method FROM sandbox.charges WHERE status = 'processing' AND settles_at <= now() ORDER BY settles_at LIMIT $1`,
        [limit],
      )
      if (due.length === 0) return false
      const behaviours = due.map(({ method }) => behaviourOf(method))
      await query(
        `WITH due AS (
           SELECT * FROM unnest($1::uuid[], $2::int[], $3::bool[]) AS due (id, copies, reordered)
         ), settled AS (
           UPDATE sandbox.charges c SET status = 'captured' FROM due WHERE c.id = due.id AND status = 'processing' RETURNING c.*
         ), ${tell('charge', 'settled', '(SELECT copies FROM due WHERE due.id = event.id)')}
         , late AS (
           INSERT INTO sandbox.callbacks (body, next_attempt_at)
           SELECT jsonb_build_object('id', 'evt_' || gen_random_uuid(), 'about', 'charge',
             'charge', to_jsonb(s) || '{"status":"processing"}')::text, now() + ${tooLate} * interval '1 ms'
           FROM settled s JOIN due USING (id) WHERE reordered
         )
         SELECT FROM settled`,
        [
          due.map(({ id }) => id),
          behaviours.map((behaviour) => behaviour?.copies ?? 1),
          behaviours.map((behaviour) => behaviour?.reordered ?? false),
        ],
      )
      return due.length === limit
    },

    /**
     * Adds a refund, unless there is one with its id already: then that one is the answer. Undefined for more than is left
     * of what was captured. One that ends `later` is answered as pending.
     */
    async refund(
      charge: Charge,
      refund: { id: string; reference: string; amount: number },
      later: 'succeeded' | 'failed' | undefined,
    ): Promise<ChargeRefund | undefined> {
      const known = () => one<ChargeRefund>('SELECT * FROM sandbox.refunds WHERE id = $1', [refund.id])
      const before = await known()
      if (before) return before
      const status = later ?? 'succeeded'
      const added = await one<ChargeRefund>(
        `WITH charge AS (
           UPDATE sandbox.charges SET refunded = refunded + CASE WHEN $5 = 'failed' THEN 0 ELSE $4::int END
           WHERE id = $3 AND status = 'captured' AND refunded + $4::int <= amount RETURNING id
         ), added AS (
           INSERT INTO sandbox.refunds (id, reference, charge_id, amount, status)
           SELECT $1, $2, id, $4::int, $5 FROM charge RETURNING *
         ), ${tell('refund', 'added', '1')}
         SELECT * FROM added`,
        [refund.id, refund.reference, charge.id, refund.amount, status],
      ).catch((error: { code?: unknown }) => {
        // A twin was faster.
        if (error.code !== uniqueViolation) throw error
        return undefined
      })
      if (!added) return known()
      return later ? { ...added, status: 'pending' } : added
    },

    /** Takes callbacks that are due. They are due again after a pause, unless they are delivered before. */
    takeDue: async (limit: number): Promise<Callback[]> =>
      (
        await query<Callback>(
          `WITH due AS (
             SELECT id FROM sandbox.callbacks WHERE next_attempt_at <= now()
             ORDER BY next_attempt_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
           )
           UPDATE sandbox.callbacks c SET attempts = attempts + 1, next_attempt_at =
             now() + LEAST(${pauses.longest}, ${pauses.first} * 2 ^ LEAST(attempts, 20)) * interval '1 ms'
           FROM due WHERE c.id = due.id RETURNING c.id, c.body`,
          [limit],
        )
      ).rows,

    delivered: (id: string) => query('DELETE FROM sandbox.callbacks WHERE id = $1', [id]),

    /** Forgets what nobody took for days. */
    giveUp: () => query(`DELETE FROM sandbox.callbacks WHERE created_at < now() - interval '${kept}'`, []),
  }
}

export type Ledger = ReturnType<typeof createLedger>
