/**
 * `npm run bench:cold`: how long a gateway takes from its start until it answers, and what the heaviest operation of the bench takes as
 * its first request: nothing is parsed, planned, connected or compiled by then. `--rounds 5` starts each so often, `--rows apollo,ours-on` some of
 * them alone. Linux only.
 */
import { parseArgs } from 'node:util'
import { runCold } from './gateways/cold.ts'
import { chosen } from './gateways/options.ts'
import { installPeers } from './gateways/peers.ts'
import { rowNames } from './gateways/rows.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' }, rows: { type: 'string' } } })
installPeers()
await runCold({
  rounds: Number(values.rounds),
  rows: chosen(values.rows, rowNames),
  hiveRouter: process.env.HIVE_ROUTER_BIN || undefined,
})
