import { z } from 'zod'
import { live } from './env.ts'

/** How an instance is chosen among those that can be reached. `least-pending`: of two at random, the one with fewer calls. */
export type Policy = 'round-robin' | 'random' | 'least-pending'

export const balancerSettings = {
  /** How calls are shared among the instances of a service. Default round-robin. */
  BALANCING: live(
    z
      .enum(['round-robin', 'random', 'least-pending'], 'must be round-robin, random or least-pending')
      .default('round-robin'),
  ),
}

/** Where the instances of a service are: a list, or what tells of each new list until it is told to stop. */
export type Addresses = readonly string[] | ((follow: (addresses: readonly string[]) => void) => () => void)

export type BalancerOptions<Target> = {
  addresses: Addresses
  /** Makes what calls to one instance go through. */
  open: (address: string) => Target
  /** Ends it. Called when the instance is on the list no more and its last call has ended. */
  close: (target: Target) => Promise<void> | void
  /** Read at each choice. Default round-robin. */
  policy?: () => Policy
  /** Milliseconds on a clock that never goes back. */
  now?: () => number
  random?: () => number
}

/** An instance that was chosen for one call. */
export type Choice<Target> = {
  readonly address: string
  readonly target: Target
  /**
   * Ends the call. `refused`: there was no connection, so that the instance is set aside. `leaving`: it answered, and said
   * that it stops, so that it is set aside before it refuses. `reached`: it answered, so that it is set aside no more. None:
   * the call tells nothing.
   */
  release(outcome?: 'refused' | 'leaving' | 'reached'): void
}

type Instance<Target> = {
  readonly address: string
  readonly target: Target
  pending: number
  /** On the list. */
  listed: boolean
  /** How often it refused, or said that it stops, since it was last reached. More than 0: set aside. */
  refusals: number
  /** When it may be tried again. */
  due: number
  /** A call is under way that finds out whether it is back. */
  probed: boolean
  readonly closed: PromiseWithResolvers<void>
}

/** Milliseconds that an instance is set aside after its first refusal; doubled for each that follows. Up to half is random. */
const firstPause = 200
const longestPause = 5_000

/**
 * Chooses among the instances of a service.
 *
 * Guarantees: an instance that refuses connections is set aside at once, for a pause that grows, one that says that it stops for
 * the longest; then it is tried by one call at a time until one reaches it. None that is set aside is chosen while there is another. When all are set aside they are
 * tried, as if none was: a refused connection costs little, and a service that is back is found by the first call. An
 * instance that left the list gets nothing more, and what it does finishes.
 */
export function createBalancer<Target>(options: BalancerOptions<Target>) {
  const { addresses, policy = () => 'round-robin', now = () => performance.now() } = options
  const { random = Math.random } = options
  /** Those that were not chosen for longest come first. */
  let instances: Instance<Target>[] = []
  /** Those that are not closed yet, on the list or not. */
  const open = new Set<Instance<Target>>()

  function list(wanted: readonly string[]): void {
    for (const instance of instances) {
      if (wanted.includes(instance.address)) continue
      instance.listed = false
      closeWhenDone(instance)
    }
    const kept = instances.filter(({ listed }) => listed)
    const known = new Set(kept.map(({ address }) => address))
    const added = [...new Set(wanted)].filter((address) => !known.has(address))
    instances = [...kept, ...added.map(opened)]
  }

  function opened(address: string): Instance<Target> {
    const state = { pending: 0, listed: true, refusals: 0, due: 0, probed: false }
    const instance = { address, target: options.open(address), closed: Promise.withResolvers<void>(), ...state }
    open.add(instance)
    return instance
  }

  function closeWhenDone(instance: Instance<Target>): void {
    if (instance.listed || instance.pending > 0) return
    open.delete(instance)
    instance.closed.resolve(options.close(instance.target))
  }

  /** Where to look first, by what is known of each: never tried for this call and there, then whatever is there, then the rest. */
  function candidates(tried: readonly string[]): Instance<Target>[] {
    if (instances.length < 2) return instances
    const time = now()
    const isThere = ({ refusals, due, probed }: Instance<Target>) => refusals === 0 || (!probed && time >= due)
    const isNew = ({ address }: Instance<Target>) => !tried.includes(address)
    const there = instances.filter(isThere)
    for (const some of [there.filter(isNew), there, instances.filter(isNew)]) if (some.length > 0) return some
    return instances
  }

  function pick(from: readonly Instance<Target>[]): Instance<Target> | undefined {
    const any = () => Math.floor(random() * from.length)
    if (from.length < 2 || policy() === 'round-robin') return from[0]
    const first = any()
    if (policy() === 'random') return from[first]
    const second = (first + 1 + Math.floor(random() * (from.length - 1))) % from.length
    const [one, other] = [from[first], from[second]]
    return one && other && other.pending < one.pending ? other : one
  }

  function setAside(instance: Instance<Target>, outcome: 'refused' | 'leaving'): void {
    const pause = outcome === 'leaving' ? longestPause : Math.min(longestPause, firstPause * 2 ** instance.refusals)
    instance.refusals += 1
    instance.due = now() + pause * (0.5 + random() / 2)
  }

  const unfollow = typeof addresses === 'function' ? addresses(list) : list(addresses)

  return {
    /** An instance for one call, rather not one of those it was `tried` on. Undefined when there are none at all. */
    choose(tried: readonly string[] = []): Choice<Target> | undefined {
      const instance = pick(candidates(tried))
      if (!instance) return undefined
      if (instances.length > 1) {
        instances.splice(instances.indexOf(instance), 1)
        instances.push(instance)
      }
      instance.pending += 1
      // What a call says of an instance counts as long as nothing else was heard of it since the call began.
      const { refusals } = instance
      const probes = refusals > 0 && !instance.probed
      if (probes) instance.probed = true
      let ended = false
      return {
        address: instance.address,
        target: instance.target,
        release(outcome) {
          if (ended) return
          ended = true
          instance.pending -= 1
          if (probes) instance.probed = false
          if (outcome && refusals === instance.refusals) {
            if (outcome === 'reached') instance.refusals = 0
            else setAside(instance, outcome)
          }
          closeWhenDone(instance)
        },
      }
    },
    /** What leads to each instance on the list. */
    targets: (): readonly Target[] => instances.map(({ target }) => target),
    /** Chooses no more. Resolves when every call has ended and everything is closed. */
    async close(): Promise<void> {
      unfollow?.()
      const last = [...open].map(({ closed }) => closed.promise)
      list([])
      await Promise.all(last)
    },
  }
}
