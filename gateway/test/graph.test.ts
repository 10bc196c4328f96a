import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'
import { silentLog } from '#platform/log.ts'
import { openGraph } from '../graph.ts'

test('opening a graph calls nobody', async () => {
  const { supergraphSdl = '' } = composeServices([
    { name: 'things', url: 'http://127.0.0.1:1/graphql', typeDefs: parse('type Query { a: Int }') },
  ])
  const called: unknown[] = []
  const onRequest = (message: unknown) => void called.push(message)
  const channels = ['http.client.request.start', 'undici:request:create', 'net.client.socket']
  for (const channel of channels) subscribe(channel, onRequest)
  const graph = await openGraph({ supergraphSdl, subgraphTimeout: 100, log: silentLog })
  await graph.close()
  for (const channel of channels) unsubscribe(channel, onRequest)
  assert.deepEqual(called, [])
})
