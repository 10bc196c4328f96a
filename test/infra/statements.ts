import type { SqlDriverAdapterFactory, SqlQuery, SqlQueryable } from '@prisma/driver-adapter-utils'

/** SQL statements that went to a database through a Prisma adapter. */
export type Statements = {
  /** What `work` sends: nothing else is sent meanwhile, or it counts too. */
  during(work: () => Promise<unknown>): Promise<SqlQuery[]>
}

/** Keeps what goes through an adapter from now on, which works as before. The begin and the end of a transaction are statements too. */
export function recordStatements<Factory extends SqlDriverAdapterFactory>(
  factory: Factory,
): Statements & { adapter: Factory } {
  let sent: SqlQuery[] | undefined

  function recorded<Connection extends SqlQueryable>(connection: Connection): Connection {
    const { queryRaw, executeRaw } = connection
    return Object.assign(connection, {
      queryRaw(query: SqlQuery) {
        sent?.push(query)
        return queryRaw.call(connection, query)
      },
      executeRaw(query: SqlQuery) {
        sent?.push(query)
        return executeRaw.call(connection, query)
      },
    })
  }

  const connect = async () => {
    const adapter = recorded(await factory.connect())
    const { startTransaction } = adapter
    return Object.assign(adapter, {
      async startTransaction(...options: Parameters<typeof startTransaction>) {
        sent?.push({ sql: 'BEGIN', args: [], argTypes: [] })
        return recorded(await startTransaction.apply(adapter, options))
      },
    })
  }

  return {
    adapter: new Proxy(factory, { get: (target, name) => (name === 'connect' ? connect : Reflect.get(target, name)) }),
    async during(work) {
      if (sent) throw new Error('Statements are recorded already.')
      const during: SqlQuery[] = []
      sent = during
      try {
        await work()
        return during
      } finally {
        sent = undefined
      }
    },
  }
}
