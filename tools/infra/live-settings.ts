import { isLive, processSettings, type Schema, type Settings } from '#platform/env.ts'
import { createLive, type Given, type Refused } from '#platform/live.ts'
import * as gateway from '../../gateway/config.ts'
import * as notifications from '../../subgraphs/notifications/config.ts'
import * as orders from '../../subgraphs/orders/config.ts'
import * as payments from '../../subgraphs/payments/config.ts'
import * as products from '../../subgraphs/products/config.ts'
import * as users from '../../subgraphs/users/config.ts'
import { type ProcessName, processNames, settingsOf } from '../stack.ts'

/** What a process makes of the values that it is given: those in force, and those it refuses. */
export type Judgement = { readonly inForce: Given; readonly refused: readonly Refused[] }

const judges: Record<ProcessName, (own: Given, all: Given) => Judgement> = {
  gateway: judgeOf(gateway),
  users: judgeOf(users),
  products: judgeOf(products),
  orders: judgeOf(orders),
  payments: judgeOf(payments),
  notifications: judgeOf(notifications),
}

/**
 * What a process would make of values: by its own schema, as if nothing else was set than what is set here. Its rules are
 * asked of what may change; what else they want is none of ours.
 */
export function judge(name: ProcessName, own: Given, all: Given): Judgement {
  return judges[name](own, all)
}

/** The settings of a process that may change while it runs. */
export function liveSettings(name: ProcessName): string[] {
  return Object.keys(settingsOf[name]).filter((setting) => isLive(settingsOf[name][setting]))
}

export function isProcess(name: string): name is ProcessName {
  return processNames.some((known) => known === name)
}

function judgeOf<S extends Settings>({ settings, rules }: Schema<S>): (own: Given, all: Given) => Judgement {
  const isOurs = (fault: string) => isLive(settings[fault.slice(0, fault.indexOf(':'))])
  const schema: Schema<S> = { settings, rules: rules.map((rule) => (values) => rule(values).filter(isOurs)) }
  const { NODE_ENV } = process.env
  const start = Object.entries(settings).map(([name, type]) => [name, type.safeParse(undefined).data])
  const environment = processSettings.NODE_ENV.parse(NODE_ENV || undefined)
  return (own, all) => {
    const live = createLive(schema, { ...Object.fromEntries(start), NODE_ENV: environment })
    const { changed, refused } = live.take({ own, all })
    return { inForce: new Map([...changed].map(([setting, text]) => [setting, text ?? ''])), refused }
  }
}
