import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Writes a message as a file that its owner alone may read, in a folder of the same kind. A repeat under the same name
 * takes the place of the first, and a reader never sees half a file.
 */
export async function writeMessage(folder: string, name: string, content: string | Buffer): Promise<void> {
  const unfinished = join(folder, `.${name}`)
  const write = () => writeFile(unfinished, content, { mode: 0o600 })
  await write().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await write()
  })
  await rename(unfinished, join(folder, name))
}
