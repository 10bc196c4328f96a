import { relative } from 'node:path'
import type { Accounts } from './seed/accounts.ts'
import { type Ports, type ProcessName, processNames, type Stack } from './stack.ts'

/** What `npm start` says when the shop is ready: what is where, who can log in, and what to try. */
export function announcement({
  stack,
  ports,
  brokers,
  postgresPort,
  mail,
  accounts,
}: {
  stack: Stack
  ports: Ports
  /** Of Kafka, where there is one. */
  brokers: string | undefined
  /** Absent when every database is named by a variable. */
  postgresPort: number | undefined
  mail: string
  accounts: Accounts
}): string {
  const shown = (url: string) => url.replace('127.0.0.1', 'localhost')
  const place = (name: ProcessName) => {
    const { grpc } = ports[name]
    return `${shown(stack.urlOf(name))}${grpc ? `, gRPC ${grpc}` : ''}`
  }
  const rows: [string, string][] = [
    ...processNames.map((name): [string, string] => [name, place(name)]),
    ['PostgreSQL', postgresPort ? `port ${postgresPort}` : 'as the variables say'],
    ['event log', brokers ? `Kafka at ${brokers}` : 'in PostgreSQL'],
    ['e-mail', `${relative(process.cwd(), mail) || '.'}/*.eml`],
    ...Object.entries(accounts).map(([role, { email, password }]): [string, string] => [role, `${email}  ${password}`]),
  ]
  return `
${rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`).join('\n')}

  Open ${shown(stack.url)} in a browser for Apollo Sandbox, and try:

    { products(first: 3) { edges { node { name price { amount currency } available } } } }

  npm run demo walks the whole path. Ctrl-C stops everything.`
}
