/**
 * `npm run bench`: this gateway beside others, on the same graph, asked the same.
 *
 *   npm run bench                                 everything; writes bench/results/ and docs/performance.svg
 *   npm run bench -- --quick                      fewer requests, for development
 *   npm run bench -- --rows apollo,ours-on        some of the gateways
 *   npm run bench -- --operations list,heavy      some of the operations
 *
 * The main figure is CPU time of the gateway's processes, from the operating system: what other processes do in the
 * meantime counts for little in it. Linux only. Hive Router takes part where HIVE_ROUTER_BIN names its binary.
 */
import { parseArgs } from 'node:util'
import { runBench } from './gateways/bench.ts'
import { operationNames } from './gateways/operations.ts'
import { chosen } from './gateways/options.ts'
import { installPeers } from './gateways/peers.ts'
import { rowNames } from './gateways/rows.ts'

try {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, rows: { type: 'string' }, operations: { type: 'string' } },
  })
  const options = {
    quick: values.quick ?? false,
    rows: chosen(values.rows, rowNames),
    operations: chosen(values.operations, operationNames),
    hiveRouter: process.env.HIVE_ROUTER_BIN || undefined,
  }
  installPeers()
  await runBench(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
