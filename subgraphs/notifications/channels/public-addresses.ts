import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { BlockList, isIPv4, isIPv6, type LookupFunction } from 'node:net'

/** IPv4 that is no host of the public internet. https://www.iana.org/assignments/iana-ipv4-special-registry */
const special4 = listOf('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
])
/** The IPv6 that is given to hosts at all. IPv4 within IPv6 and NAT64 are outside, as are all private and local ones. */
const global6 = listOf('ipv6', [['2000::', 3]])
/** What is special within: protocol assignments with Teredo, documentation, 6to4, documentation. */
const special6 = listOf('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
])

/** Whether an address belongs to the public internet, where nobody is trusted more than anybody else. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address, 'ipv4')
  if (!isIPv6(address)) return false
  return global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
}

/** A name that leads to an address which is none of the public internet. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
}

/** The addresses of a name. Rejects where it has none. */
type Resolve = (name: string) => Promise<LookupAddress[]>

type NameServers = { servers?: readonly string[]; timeout?: number }

/**
 * Asks name servers for the addresses of a name; `servers`: which, else the machine's. The machine's own way knows names that
 * only it should, and goes through the two threads by which all of the process resolves: a client that makes up names whose
 * servers say nothing would hold up the database. `timeout`: milliseconds before a server is asked again, once.
 */
export function createNameResolver({ servers, timeout = 2_000 }: NameServers = {}): Resolve {
  const resolver = new Resolver({ timeout, tries: 2 })
  if (servers) resolver.setServers(servers)
  return async (name) => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
    const of = (family: number, answer: PromiseSettledResult<string[]>) =>
      answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : []
    return [...of(4, four), ...of(6, six)]
  }
}

/**
 * Resolves names for connections that must not lead into our own network. Fails with ForbiddenAddress where any address
 * of a name is not public. What it answers is what is connected to, so a name that changes in between gains nothing.
 */
export function createPublicLookup(resolve: Resolve = createNameResolver()): LookupFunction {
  async function publicAddresses(name: string): Promise<[LookupAddress, ...LookupAddress[]]> {
    const [first, ...others] = await resolve(name)
    if (!first) throw new Error('The name has no address.')
    if (![first, ...others].every(({ address }) => isPublicAddress(address))) {
      throw new ForbiddenAddress('The name leads to an address that is not public.')
    }
    return [first, ...others]
  }

  return (name, { all }, callback) => {
    publicAddresses(name).then(
      (addresses) => (all ? callback(null, addresses) : callback(null, addresses[0].address, addresses[0].family)),
      (error) => callback(error, []),
    )
  }
}

function listOf(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [network, bits] of subnets) list.addSubnet(network, bits, family)
  return list
}
