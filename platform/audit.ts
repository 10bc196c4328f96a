import { pino } from 'pino'
import { z } from 'zod'
import { currentContext, traceId } from './context.ts'
import type { Principal } from './principal.ts'

export const auditSettings = {
  /** The file that the audit log is appended to. Default: standard error, apart from the ordinary log on standard output. */
  AUDIT_LOG: z.string().optional(),
}

/** What happened that an auditor asks for. The names are stable. */
export type AuditAction =
  | 'account.registered'
  | 'account.erased'
  | 'session.started'
  | 'session.refused'
  | 'session.ended'
  | 'session.reuse_detected'
  | 'password.changed'
  | 'password.reset_requested'
  | 'password.reset'
  | 'email.changed'
  | 'email.verified'
  | 'roles.changed'
  | 'signing_key.added'
  | 'token.refused'
  | 'access.refused'

export type AuditEntry = {
  action: AuditAction
  /** The account that acted. Null for nobody who is known. */
  actor: string | null
  /** What it was done to: an account's id, a key's id, a field. */
  target?: string
  /** From which network address. */
  address: string | null
  /** Why it was refused, as an error code; what changed, such as the new roles. Never a secret, never an e-mail address. */
  detail?: Record<string, unknown>
}

/** Writes one line of the audit log. */
export type Audit = (entry: AuditEntry) => void

/** Who did what to what, when and from where, as JSON lines. Written at once, so that a crash loses none. */
export function createAudit({ service, file }: { service: string; file: string | undefined }): Audit {
  const logger = pino(
    { base: { service }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: () => ({ log: 'audit' }) } },
    pino.destination({ dest: file ?? 2, append: true, mkdir: true, sync: true }),
  )
  return (entry) => {
    const context = currentContext()
    const place = context && { traceId: traceId(context.traceparent), requestId: context.requestId }
    logger.info({ ...entry, ...place })
  }
}

/** Who is behind a principal, and from where, for an entry. */
export function actorOf({ sub, address }: Principal): { actor: string | null; address: string | null } {
  return { actor: sub, address }
}
