import { z } from 'zod'
import type { Log } from '../log.ts'
import type { Answer, Questions } from './questions.ts'

/** A value, and the states in which it was made and changed. */
type Entry = { readonly value: string; readonly state: string }

const entries = z.array(
  z.object({ Key: z.string(), Value: z.base64().nullable(), CreateIndex: z.int(), ModifyIndex: z.int() }),
)

/** Values by key. https://developer.hashicorp.com/consul/api-docs/kv */
export function createValues({ ask, follow }: Pick<Questions, 'ask' | 'follow'>, log: Log) {
  async function change(method: 'PUT' | 'DELETE', key: string, body?: string): Promise<void> {
    const answer = await ask({ method, path: pathOf(key), ...(body !== undefined && { body }) })
    if (answer.text.trim() !== 'true') throw new Error(`Consul did not change ${key}.`)
  }

  return {
    /** The values whose keys begin with a prefix, by what follows it. */
    async get(prefix: string): Promise<ReadonlyMap<string, string>> {
      return valuesOf(read(prefix, await ask({ method: 'GET', path: `${pathOf(prefix)}?recurse=true` })))
    },
    put: (key: string, value: string): Promise<void> => change('PUT', key, value),
    /** Deleting what is not there is no error. */
    delete: (key: string): Promise<void> => change('DELETE', key),
    /**
     * Tells of the values under a prefix now, and of each change. While Consul is away the last ones stand. So do those that
     * it has lost, which nobody deleted: when its state is an older one and holds none of the values as they were, what is
     * missing stands until it is written again. Resolves when the first attempt was made.
     */
    watch(prefix: string, tell: (values: ReadonlyMap<string, string>) => void): Promise<void> {
      let known: ReadonlyMap<string, Entry> = new Map()
      let lost: ReadonlyMap<string, Entry> = new Map()
      return follow({
        about: `${prefix}*`,
        path: `${pathOf(prefix)}?recurse=true`,
        hear(answer) {
          const now = read(prefix, answer)
          const survives = [...known].some(([name, { state }]) => now.get(name)?.state === state)
          if (answer.older && known.size > 0 && !survives) {
            log.warn('Consul has lost its memory, the last values stand', { prefix, values: known.size })
            lost = new Map([...lost, ...known])
          }
          lost = new Map([...lost].filter(([name]) => !now.has(name)))
          known = now
          tell(valuesOf(new Map([...lost, ...now])))
        },
      })
    },
  }
}

export type Values = ReturnType<typeof createValues>

function read(prefix: string, { found, text, filtered }: Answer): ReadonlyMap<string, Entry> {
  // What may not be read is not what is not there.
  if (filtered) throw new Error('Consul: the access rules hide values')
  const list = found ? entries.parse(JSON.parse(text)) : []
  const known = new Map<string, Entry>()
  for (const { Key, Value, CreateIndex, ModifyIndex } of list) {
    const value = Buffer.from(Value ?? '', 'base64').toString()
    // A key that ends with a slash is a folder, which Consul's pages make.
    if (!Key.endsWith('/'))
      known.set(Key.slice(prefix.length), { value, state: `${CreateIndex} ${ModifyIndex} ${value}` })
  }
  return known
}

function valuesOf(all: ReadonlyMap<string, Entry>): ReadonlyMap<string, string> {
  return new Map([...all].map(([name, { value }]) => [name, value]))
}

function pathOf(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`
}
