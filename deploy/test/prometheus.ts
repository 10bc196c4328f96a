import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { root } from '../../tools/services.ts'

export type Sample = { metric: Record<string, string>; value: [number, string] }

/** Why Prometheus cannot be started here. Undefined when it can. */
export function prometheusMissing(): string | undefined {
  const there = ['prometheus', 'promtool'].every((program) => spawnSync(program, ['--version']).status === 0)
  return there ? undefined : 'there is no prometheus with its promtool'
}

/** A Prometheus of our own with the settings of production, which finds the processes, by service, at the addresses given. */
export async function startPrometheus(addresses: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-prometheus-'))
  cpSync(join(root, 'deploy/prometheus'), folder, { recursive: true })
  const file = join(folder, 'prometheus.yml')
  const config = parse(readFileSync(file, 'utf8'))
  const shop = config.scrape_configs.find(({ job_name }: { job_name: string }) => job_name === 'commerce')
  delete shop.dns_sd_configs
  delete shop.relabel_configs
  shop.static_configs = Object.entries(addresses).map(([service, address]) => ({
    targets: [address],
    labels: { service },
  }))
  // A process that waits for what it measures does so for a second.
  Object.assign(config.global, { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' })
  config.scrape_configs = [shop]
  writeFileSync(file, stringify(config))

  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const server: ChildProcess = spawn('prometheus', args, { stdio: 'ignore' })
  function stop(): void {
    process.off('exit', stop)
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.on('exit', stop)
  await waitFor('Prometheus is ready', async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok)

  /** What a query answers now. Rejects one that is wrong. */
  async function query(expression: string): Promise<Sample[]> {
    const body = new URLSearchParams({ query: expression })
    const answer = (await (await fetch(`${url}/api/v1/query`, { method: 'POST', body })).json()) as {
      error?: string
      data?: { result: Sample[] }
    }
    if (!answer.data) throw new Error(`${expression}: ${answer.error}`)
    return answer.data.result
  }

  return { query, stop }
}
