import { parseArgs } from 'node:util'

const usage = `Usage: npm run bench:shop [-- <options>]
  --rate <n>      requests a second; with --find where the search begins. Default 100
  --seconds <n>   how long a rate is measured. Default 20
  --warm-up <n>   seconds for which it comes before that. Default 10
  --find          searches the highest rate at which p99 <= 50 ms and errors <= 0.1 %
  --compare       --find with --before, and then without, in one table
  --soak          half the highest rate that was found, or --rate, for --minutes. Default 30
  --minutes <n>
  --real          Kafka and Redis in place of the embedded parts
  --instances <n> Of each process, found through Consul. With --real. Default 1
  --before        without the product cache, the database pools and loaders' batches
  --cache         with the gateway's response cache
  --profile       CPU profiles of all processes, into bench/results/
  --customers <n> Default 500
  --products <n>  Default 10000`

const options = {
  rate: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  minutes: { type: 'string' },
  customers: { type: 'string' },
  products: { type: 'string' },
  instances: { type: 'string' },
  find: { type: 'boolean' },
  compare: { type: 'boolean' },
  soak: { type: 'boolean' },
  real: { type: 'boolean' },
  before: { type: 'boolean' },
  cache: { type: 'boolean' },
  profile: { type: 'boolean' },
} as const

/** What a run is to do. Throws, with what is wrong and the usage, for anything else. */
export function parseArguments(args: readonly string[]) {
  const values = valuesOf(args)
  const number = (name: keyof typeof options, most: number): number | undefined => {
    const text = values[name]
    if (typeof text !== 'string') return undefined
    const value = Number(text)
    if (!(value > 0 && value <= most))
      throw new Error(`--${name} is a number up to ${most}, and not ${text}.\n${usage}`)
    return value
  }
  const {
    find = false,
    compare = false,
    soak = false,
    real = false,
    before = false,
    cache = false,
    profile = false,
  } = values
  if (Number(find) + Number(compare) + Number(soak) > 1)
    throw new Error(`--find, --compare and --soak are three runs.\n${usage}`)
  if (compare && before) throw new Error(`--compare does both, --before and not.\n${usage}`)
  const instances = Math.ceil(number('instances', 20) ?? 1)
  if (instances > 1 && !real) throw new Error(`--instances needs --real: they share Redis and Kafka.\n${usage}`)
  const rate = number('rate', 100_000)
  return {
    mode: find ? ('find' as const) : compare ? ('compare' as const) : soak ? ('soak' as const) : ('rate' as const),
    rate,
    seconds: number('seconds', 3_600) ?? 20,
    warmUp: number('warm-up', 600) ?? 10,
    minutes: number('minutes', 1_440) ?? 30,
    customers: Math.ceil(number('customers', 100_000) ?? 500),
    products: Math.ceil(number('products', 1_000_000) ?? 10_000),
    real,
    instances,
    before,
    cache,
    profile,
  }
}

export type Arguments = ReturnType<typeof parseArguments>

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch {
    throw new Error(usage)
  }
}
