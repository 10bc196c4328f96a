import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from '../../tools/services.ts'

type Mounted = string | { source: string; target: string }

/** A service of `docker-compose.yml`, as far as it is looked at. */
export type ComposeService = {
  image: string
  build?: { context: string; dockerfile: string; target: string }
  profiles?: string[]
  command?: string[]
  environment?: Record<string, string | number>
  secrets?: Mounted[]
  volumes?: string[]
  ports?: string[]
  depends_on?: Record<string, { condition: string }> | string[]
  healthcheck?: { test: string[] }
  mem_limit?: string
  stop_grace_period?: string
  read_only?: boolean
}

export type ComposeFile = {
  services: Record<string, ComposeService>
  secrets: Record<string, { file: string }>
  volumes: Record<string, unknown>
}

export const composeText = readFileSync(join(root, 'docker-compose.yml'), 'utf8')
export const compose: ComposeFile = parse(composeText, { merge: true })

/** The processes of the shop: those services whose image is made here. */
export const own = Object.entries(compose.services).flatMap(([name, service]) =>
  service.build ? [{ name, service, target: service.build.target }] : [],
)

/** The secrets that a service is given, and where each is in its container. */
export function secretsOf({ secrets = [] }: ComposeService): { source: string; target: string }[] {
  return secrets.map((mounted) => {
    const { source, target } = typeof mounted === 'string' ? { source: mounted, target: mounted } : mounted
    return { source, target: target.startsWith('/') ? target : `/run/secrets/${target}` }
  })
}
