import { badSubgraph } from './bad-subgraph.ts'
import { breaker } from './breaker.ts'
import { broker } from './broker.ts'
import { cache } from './cache.ts'
import { catalogue } from './catalogue.ts'
import { consumer } from './consumer.ts'
import { crash } from './crash.ts'
import type { Drill } from './drill.ts'
import { execution } from './execution.ts'
import { frontDoor } from './front-door.ts'
import { fuzz } from './fuzz.ts'
import { identity } from './identity.ts'
import { instances } from './instances.ts'
import { inventory } from './inventory.ts'
import { isolation } from './isolation.ts'
import { latency } from './latency.ts'
import { liveSettings } from './live-settings.ts'
import { orderCrash } from './order-crash.ts'
import { outages } from './outages.ts'
import { poison } from './poison.ts'
import { pool } from './pool.ts'
import { productsDown } from './products-down.ts'
import { rebalance } from './rebalance.ts'
import { rollingRestart } from './rolling-restart.ts'
import { rotation } from './rotation.ts'
import { stock } from './stock.ts'
import { swap } from './swap.ts'
import { throughput } from './throughput.ts'
import { timing } from './timing.ts'

/** Of orders, their events and what is told of them, while something dies or much happens. */
export const eventDrills: Record<string, Drill> = {
  'order-crash': orderCrash,
  crash,
  latency,
  throughput,
  broker,
  consumer,
  poison,
  rebalance,
}

/** Of what is asked of the shop, while parts of it are away, attacked or changed. */
export const requestDrills: Record<string, Drill> = {
  stock,
  inventory,
  cache,
  catalogue,
  'products-down': productsDown,
  breaker,
  outages,
  'bad-subgraph': badSubgraph,
  pool,
  timing,
  rotation,
  identity,
  instances,
  isolation,
  'rolling-restart': rollingRestart,
  'live-settings': liveSettings,
  'front-door': frontDoor,
  fuzz,
  swap,
  execution,
}

/** Every drill, by the name it is run under. */
export const drills: Record<string, Drill> = { ...eventDrills, ...requestDrills }
