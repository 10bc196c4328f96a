import { request } from 'undici'
import type { ProcessName } from '../../tools/stack.ts'
import type { TestStack } from './stack.ts'

const states = ['closed', 'half open', 'open'] as const

/** The state of the breaker that a process has for another one, as its metrics say. */
export async function breakerState(stack: TestStack, process: ProcessName, target: string) {
  const { body } = await request(`${stack.urlOf(process)}/metrics`)
  const [, state] =
    new RegExp(`^circuit_breaker_state\\{target="${target}",.*\\} (\\d)$`, 'm').exec(await body.text()) ?? []
  return states[Number(state)]
}
