/**
 * Settings of running processes, in Consul:
 *
 *   npm run config -- get [<process>]                        what Consul has of all processes, or every live setting of one
 *   npm run config -- set <process|all> <setting> <value>    in force within a second or so
 *   npm run config -- delete <process|all> <setting>         back to what the processes were started with
 *   npm run config -- watch [<process>]                      each change, until Ctrl-C
 *
 * A value is read by the schema of the processes that it is for before it is written. CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and
 * CONSUL_PREFIX say where, as they do for the processes. See docs/settings.md.
 */
import { type Consul, createConsul } from '#platform/consul.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { readEnv } from '#platform/env.ts'
import { everyProcess, settingsKey } from '#platform/live/follow.ts'
import type { Given } from '#platform/live.ts'
import type { Log, LogFields } from '#platform/log.ts'
import { isProcess, judge, liveSettings } from './infra/live-settings.ts'
import { type ProcessName, processNames, settingsOf } from './stack.ts'

type Scope = ProcessName | typeof everyProcess

const usage =
  'Usage: npm run config -- get [<process>] | set <process|all> <setting> <value> | delete <process|all> <setting> | watch [<process>]'
const scopes: readonly Scope[] = [everyProcess, ...processNames]
const say = (message: string, { error }: LogFields = {}) =>
  console.error(error instanceof Error ? `${message}: ${error.message}` : message)
const log: Log = { debug() {}, info: say, warn: say, error: say }

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main([command, name, setting, value, ...rest]: string[]): Promise<void> {
  const { CONSUL_HTTP_ADDR: url, CONSUL_HTTP_TOKEN: token, CONSUL_PREFIX: prefix } = readEnv(discoverySettings)
  const work = parseCommand()
  if (!url) throw new Error('Settings change while processes run through Consul alone. Set CONSUL_HTTP_ADDR.')
  const consul = createConsul({ url, ...(token && { token }), log })
  try {
    await work(consul, prefix)
  } finally {
    if (command !== 'watch') await consul.close()
  }

  function parseCommand(): (consul: Consul, prefix: string) => Promise<void> {
    const count = [name, setting, value].filter((given) => given !== undefined).length
    if (rest.length === 0 && (command === 'get' || command === 'watch') && count <= 1) {
      if (name !== undefined && !isProcess(name)) throw new Error(unknownProcess(name))
      return command === 'get' ? (...at) => get(...at, name) : (...at) => watch(...at, name)
    }
    const scope = scopes.find((known) => known === name)
    if (rest.length > 0 || name === undefined || setting === undefined) throw new Error(usage)
    if (!scope) throw new Error(unknownProcess(name))
    if (command === 'set' && value !== undefined) return (...at) => set(...at, scope, setting, value)
    if (command === 'delete' && value === undefined) return (...at) => remove(...at, scope, setting)
    throw new Error(usage)
  }
}

function unknownProcess(name: string): string {
  return `There is no process ${name}: ${processNames.join(', ')}, or ${everyProcess} to set or delete for all.`
}

async function valuesOf({ values }: Consul, prefix: string, scope: Scope): Promise<Given> {
  try {
    return await values.get(settingsKey(prefix, scope))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Error(`Consul does not answer: ${message || code}`)
  }
}

async function get(consul: Consul, prefix: string, name?: ProcessName): Promise<void> {
  const all = await valuesOf(consul, prefix, everyProcess)
  for (const process of name ? [name] : processNames) {
    const own = await valuesOf(consul, prefix, process)
    const { inForce, refused } = judge(process, own, all)
    const reasons = new Map(refused.map(({ setting, reason }) => [setting, reason]))
    const names = new Set([...(name ? liveSettings(name) : []), ...inForce.keys(), ...reasons.keys()])
    if (names.size === 0) continue
    console.log(process)
    for (const setting of names) {
      const reason = reasons.get(setting)
      const from = own.has(setting) ? process : all.has(setting) ? everyProcess : ''
      const shown = reason === undefined ? (inForce.get(setting) ?? '-') : `refused: ${reason}`
      console.log(`  ${printable(setting).padEnd(28)}${from.padEnd(15)}${printable(shown)}`)
    }
  }
}

async function set(consul: Consul, prefix: string, scope: Scope, setting: string, value: string): Promise<void> {
  const meant =
    scope === everyProcess ? processNames.filter((name) => Object.hasOwn(settingsOf[name], setting)) : [scope]
  if (meant.length === 0) throw new Error(`${setting}: is no setting of any process. Nothing is changed.`)
  const before = await valuesOf(consul, prefix, everyProcess)
  const all = scope === everyProcess ? new Map([...before, [setting, value]]) : before
  const keeping: string[] = []
  for (const name of meant) {
    const its = await valuesOf(consul, prefix, name)
    if (scope === everyProcess && its.has(setting)) keeping.push(name)
    // Its own would go before, and hide whether it could take this one.
    const others = new Map([...its].filter(([other]) => other !== setting))
    const { refused } = judge(name, scope === everyProcess ? others : new Map([...others, [setting, value]]), all)
    const refusal = refused.find((each) => each.setting === setting)
    if (refusal) throw new Error(`${setting}: ${refusal.reason} (${name}). Nothing is changed.`)
  }
  await consul.values.put(`${settingsKey(prefix, scope)}${setting}`, value)
  console.log(`${scope}: ${setting} is ${value} from now on.`)
  for (const name of keeping) console.log(`${name} has a value of its own, which goes before.`)
}

async function remove(consul: Consul, prefix: string, scope: Scope, setting: string): Promise<void> {
  const values = await valuesOf(consul, prefix, scope)
  if (!values.has(setting)) throw new Error(`${scope}: Consul has no ${setting}. Nothing is changed.`)
  await consul.values.delete(`${settingsKey(prefix, scope)}${setting}`)
  console.log(`${scope}: ${setting} is deleted.`)
}

async function watch({ values }: Consul, prefix: string, name?: ProcessName): Promise<void> {
  for (const scope of name ? [everyProcess, name] : scopes) {
    const processes = scope === everyProcess ? processNames : processNames.filter((process) => process === scope)
    const settings = new Set(processes.flatMap(liveSettings))
    let known: Given = new Map()
    await values.watch(settingsKey(prefix, scope), (now) => {
      for (const setting of new Set([...known.keys(), ...now.keys()])) {
        const value = now.get(setting)
        if (known.get(setting) === value) continue
        const shown =
          value === undefined ? 'deleted' : settings.has(setting) ? printable(value) : 'set, and taken by none'
        console.log(`${new Date().toISOString()}  ${scope.padEnd(15)}${printable(setting).padEnd(28)}${shown}`)
      }
      known = now
    })
  }
}

/** What anybody may have written, without what a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').slice(0, 200)
}
