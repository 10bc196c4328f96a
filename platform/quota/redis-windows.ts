import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Redis } from '../redis.ts'
import type { Taken, WindowOptions } from './windows.ts'

/**
 * Takes points of a window if there are so many, and gives back where they are negative, in one step. The library's own
 * script would also take what it refuses, so that one request that is too large would use up what smaller ones could have.
 * Answers what is taken, or would be, and the milliseconds until the window ends.
 */
const takeScript = `
  local points, seconds, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
  local before = tonumber(redis.call('get', KEYS[1])) or 0
  local ttl = redis.call('pttl', KEYS[1])
  if ttl < 0 then ttl = seconds * 1000 end
  if points > 0 and before + points > limit then return {before + points, ttl} end
  local after = math.max(before + points, 0)
  if after ~= before then redis.call('set', KEYS[1], after, 'PX', ttl) end
  return {after, ttl}
`

/** Counts in Redis for all processes: one round trip each. Rejects when Redis does. */
export function createRedisWindows({ client }: Redis, { name, limit, seconds }: WindowOptions) {
  const limiter = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `quota:${name}`,
    points: limit(),
    duration: seconds,
    customIncrTtlLuaScript: takeScript,
  })

  return {
    async take(key: string, points: number): Promise<Taken> {
      limiter.points = limit()
      try {
        const { consumedPoints, msBeforeNext } = await limiter.consume(key, points)
        return { allowed: true, taken: consumedPoints, left: msBeforeNext }
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        return { allowed: false, taken: refusal.consumedPoints - points, left: refusal.msBeforeNext }
      }
    },
    forget: (key: string): Promise<unknown> => limiter.delete(key),
  }
}
