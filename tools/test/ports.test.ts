import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { freePorts, listenFault } from '../infra/ports.ts'

const module = new URL('../infra/ports.ts', import.meta.url).href

test('no port is given twice, to one process or to several at the same time, and nothing listens on any', async () => {
  // More than a block holds, by requests at the same time.
  const ask = `import { freePorts } from '${module}'
    const ports = await Promise.all(Array.from({ length: 12 }, () => freePorts(10)))
    console.log(JSON.stringify(ports.flat()))
    process.stdin.resume().on('end', () => process.exit())`
  const others = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', ask], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const given = new Promise<number[]>((resolve, reject) => {
      child.stdout.once('data', (line) => resolve(JSON.parse(String(line))))
      child.once('exit', () => reject(new Error('It ended too early.')))
    })
    return { given, end: () => child.stdin.end() }
  })
  try {
    const given = [...(await Promise.all(others.map(({ given }) => given))).flat(), ...(await freePorts(120))]
    assert.equal(new Set(given).size, 600)
    assert.deepEqual([...new Set(await Promise.all(given.map((port) => listenFault(port))))], [undefined])
  } finally {
    for (const { end } of others) end()
  }
})

test('a process that holds ports ends when it has nothing else to do', async () => {
  const ask = `import { freePorts } from '${module}'; console.log((await freePorts(1)).length)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', ask], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.equal(await text(child.stdout), '1\n')
})
