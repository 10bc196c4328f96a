import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The mails in a folder. One that is still being written has a name that begins with a dot. */
export function mailsIn(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => /^[^.].*\.eml$/.test(file))
  return files.map((file) => readFileSync(join(folder, file), 'utf8'))
}
