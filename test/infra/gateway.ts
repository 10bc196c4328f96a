import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { composeServices } from '@apollo/composition'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled'
import { startStandaloneServer } from '@apollo/server/standalone'
import { buildSubgraphSchema, type GraphQLSchemaModule } from '@apollo/subgraph'
import { parse } from 'graphql'
import { request } from 'undici'
import { freePorts } from '../../tools/infra/ports.ts'
import { root } from '../../tools/services.ts'

/** A subgraph that is not of this shop. */
export type ForeignSubgraph = { sdl: string; resolvers: GraphQLSchemaModule['resolvers'] }

/** Subgraphs in this process, and their supergraph in a file. */
export async function startForeignGraph(subgraphs: Record<string, ForeignSubgraph>) {
  const folder = await mkdtemp(join(tmpdir(), 'foreign-'))
  /** The headers of each subgraph's last fetch for a client: the gateway's checks of its own are not kept. */
  const received = new Map<string, IncomingHttpHeaders>()
  const started = await Promise.all(
    Object.entries(subgraphs).map(async ([name, { sdl, resolvers }]) => {
      const typeDefs = parse(sdl)
      const server = new ApolloServer<IncomingHttpHeaders>({
        schema: buildSubgraphSchema([{ typeDefs, ...(resolvers && { resolvers }) }]),
        plugins: [
          ApolloServerPluginInlineTraceDisabled(),
          {
            async requestDidStart({ request, contextValue }) {
              if (request.query !== '{__typename}') received.set(name, contextValue)
            },
          },
        ],
      })
      const { url } = await startStandaloneServer(server, {
        listen: { port: 0, host: '127.0.0.1' },
        context: async ({ req }) => req.headers,
      })
      return { server, service: { name, url, typeDefs } }
    }),
  )
  return {
    received,
    /** Writes the supergraph schema to a file, with a change, and returns its path. */
    async supergraph(change = (sdl: string) => sdl): Promise<string> {
      const { supergraphSdl, errors = [] } = composeServices(started.map(({ service }) => service))
      if (!supergraphSdl) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'))
      const file = join(folder, 'supergraph.graphql')
      await writeFile(file, change(supergraphSdl))
      return file
    },
    async stop(): Promise<void> {
      await Promise.all(started.map(({ server }) => server.stop()))
      await rm(folder, { recursive: true })
    },
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export type TestGateway = Awaited<ReturnType<typeof runGateway>>

/**
 * Runs the gateway by itself until it is ready or ends, whichever comes first. It refuses nothing for being behind, which
 * the machine of a test may be, unless `env` says so.
 */
export async function runGateway(env: Record<string, string>) {
  const [port = 0] = await freePorts(1)
  const child = spawn(process.execPath, [join(root, 'gateway/main.ts')], {
    env: { PATH: process.env.PATH ?? '', PORT: String(port), SHUTDOWN_DELAY: '0', MAX_EVENT_LOOP_DELAY: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  }) as ChildProcessByStdio<null, Readable, Readable>
  // A test that fails before it stops the gateway is not kept from ending.
  running.add(child)
  child.unref()
  child.channel?.unref()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
    if (stream instanceof Socket) stream.unref()
  }
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      running.delete(child)
      resolve(code)
    })
  })
  const code = await waited(
    Promise.race([exited, new Promise<'ready'>((resolve) => child.once('message', () => resolve('ready')))]),
  )
  const url = `http://127.0.0.1:${port}`
  return {
    /** `ready`, or the code with which it ended. */
    code,
    pid: child.pid,
    url,
    output: () => output,
    async query(query: string, headers: Record<string, string | string[]> = {}) {
      const { body } = await request(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      })
      return body.json()
    },
    async stop() {
      child.kill('SIGTERM')
      return waited(exited)
    },
  }
}

/** Keeps this process going until there is a result, which a child that is not waited for does not do. */
async function waited<T>(result: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000)
  return result.finally(() => clearInterval(timer))
}
