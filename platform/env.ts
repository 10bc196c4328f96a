import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Settings that are missing or wrong, all of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(['Cannot start. Settings that are missing or wrong:', ...faults].join('\n  '))
    this.faults = faults
  }
}

/** The settings of a process: a variable's name and how it is read. */
export type Settings = Record<string, z.ZodType>
export type Parsed<S extends Settings> = { readonly [Name in keyof S]: z.output<S[Name]> }

/** A rule over several settings: the faults it finds, each as `<setting>: <reason>`. Sees only what parsed. */
export type Rule<S extends Settings> = (values: Partial<Parsed<S>>) => string[]

/** What a process reads, and what must hold of it. */
export type Schema<S extends Settings> = { readonly settings: S; readonly rules: readonly Rule<NoInfer<S>>[] }

/** The mark of a setting that may change while the process runs. */
export type LiveSetting = { readonly live: true }

/** Marks a setting as one that may change while the process runs: it is read anew at each use. A secret is never one. */
export function live<T extends z.ZodType>(type: T): T & LiveSetting {
  return Object.assign(type, { live: true as const })
}

export function isLive(type: object | undefined): boolean {
  return type !== undefined && 'live' in type && type.live === true
}

/**
 * Reads every setting at once and reports every fault at once. An empty variable counts as absent. `NAME_FILE` names a
 * file that holds the setting `NAME`, as secrets are mounted, unless it is a setting itself; not both may be set.
 */
export function readEnv<S extends Settings>(
  settings: S,
  rules: readonly Rule<NoInfer<S>>[] = [],
  source = process.env,
): Parsed<S> {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, type] of Object.entries(settings)) {
    let text: string | undefined
    try {
      text = `${name}_FILE` in settings ? source[name] || undefined : readVariable(name, source)
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
      continue
    }
    const result = type.safeParse(text)
    if (result.success) values[name] = result.data
    else faults.push(`${name}: ${text === undefined ? 'is not set' : reasonOf(result.error)}`)
  }
  for (const rule of rules) faults.push(...rule(values as Partial<Parsed<S>>))
  if (faults.length > 0) throw new ConfigError(faults)
  return values as Parsed<S>
}

/**
 * The text of a variable, or of the file that `NAME_FILE` names without the line breaks at its end. Undefined when absent
 * or empty. Throws when both are set, and when the file cannot be read.
 */
export function readVariable(name: string, source = process.env): string | undefined {
  const file = source[`${name}_FILE`]
  if (!file) return source[name] || undefined
  if (source[name]) throw new Error(`${name}: is set, and so is ${name}_FILE`)
  try {
    return readFileSync(file, 'utf8').replace(/[\r\n]+$/, '') || undefined
  } catch (error) {
    const { code } = error as { code?: unknown }
    throw new Error(`${name}: the file that ${name}_FILE names cannot be read (${code})`)
  }
}

/** An environment in which variables stand themselves that stood in files. Throws as `readVariable` does. */
export function withoutFiles(names: readonly string[], source = process.env): NodeJS.ProcessEnv {
  const files = names.map((name) => [`${name}_FILE`, undefined])
  return {
    ...source,
    ...Object.fromEntries(files),
    ...Object.fromEntries(names.map((name) => [name, readVariable(name, source)])),
  }
}

/** What is wrong with a value. Never shows it. */
export function reasonOf({ issues }: z.ZodError): string {
  return [...new Set(issues.map(({ message }) => message))].join('; ')
}

/** A whole number from text. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`
  const fault = `must be a whole number ${range}`
  return z.coerce.number(fault).int(fault).min(min, fault).max(max, fault)
}

/** A setting that is on or off. */
export const onOff = z.enum(['on', 'off'], 'must be on or off')

export const port = integer(0, 65_535)

/** One or more of a kind, separated by commas. */
function listOf<T extends z.ZodType<unknown, string>>(kind: T) {
  return z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )
    .pipe(z.array(kind).min(1, 'holds nothing'))
}

/** Text separated by commas. */
export const list = listOf(z.string())

/** `http://` or `https://` URLs, separated by commas. */
export const urls = listOf(z.url({ protocol: /^https?$/, error: 'must be http:// or https:// URLs' }))

/** `host:port`, separated by commas. An IPv6 address stands in brackets. */
export const addresses = listOf(z.string().regex(/^([\w.-]+|\[[\da-f:]+\]):\d{1,5}$/i, 'must be host:port'))

/** JSON of a given shape, in one variable. */
export function json<T extends z.ZodType>(shape: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text)
      } catch {
        context.addIssue('must be JSON')
        return z.NEVER
      }
    })
    .pipe(shape)
}

/** Headers as OpenTelemetry has them. https://opentelemetry.io/docs/specs/otel/protocol/exporter */
const headers = z.string().transform((text, context): Record<string, string> => {
  try {
    const pairs = text.split(',').map((pair) => /^\s*([\w!#$%&'*+.^`|~-]+)\s*=(.*)$/.exec(pair) ?? [])
    return Object.fromEntries(
      pairs.map(([, name, value]) => {
        if (name === undefined || value === undefined) throw new TypeError('no pair')
        return [name, decodeURIComponent(value.trim())]
      }),
    )
  } catch {
    context.addIssue('must be name=value, separated by commas')
    return z.NEVER
  }
})

/** Settings that every process has. */
export const processSettings = {
  /** `production` refuses embedded parts and demo data. Default development. */
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  /** What is logged. Default info. */
  LOG_LEVEL: live(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info')),
  /** The address listened on. Default 127.0.0.1: this machine only. */
  HOST: z.string().default('127.0.0.1'),
  /** Milliseconds for which a process that stops still serves, so that callers learn of it before it refuses. Default 2000. */
  SHUTDOWN_DELAY: integer(0, 10_000).default(2_000),
  /** A collector that takes traces by OTLP over HTTP (protobuf), without `/v1/traces`. Without it none are recorded. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  /** `name=value`, separated by commas, values percent-encoded: sent to the collector. A secret. */
  OTEL_EXPORTER_OTLP_HEADERS: headers.optional(),
  /** Which traces that begin here are recorded. A caller's decision stands. Default parentbased_always_on. */
  OTEL_TRACES_SAMPLER: z
    .enum(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'])
    .default('parentbased_always_on'),
  /** The share of them, from 0 to 1, with parentbased_traceidratio. Default 1. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number('must be a number').min(0).max(1).default(1),
}

/** Keeps @apollo/gateway from asking cloud providers where it runs and sending Apollo figures every hour. */
export function refuseVendorTelemetry(): void {
  process.env.APOLLO_TELEMETRY_DISABLED = 'true'
}
