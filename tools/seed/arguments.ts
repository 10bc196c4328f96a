import { parseArgs } from 'node:util'

/** Products that one big catalogue has at the most. */
const most = 1_000_000

const usage = 'Usage: npm run seed [-- --products <number>]'

/** What the seed is to make. `products`: of the big catalogue, 0 for none. Throws, with what is wrong, for anything else. */
export function parseArguments(args: readonly string[]): { products: number } {
  const { products } = optionsOf(args)
  if (products === undefined) return { products: 0 }
  if (!/^\d{1,9}$/.test(products) || Number(products) < 1 || Number(products) > most) {
    throw new Error(`--products is a whole number from 1 to ${most}, and not ${JSON.stringify(products)}.\n${usage}`)
  }
  return { products: Number(products) }
}

function optionsOf(args: readonly string[]): { products?: string | undefined } {
  try {
    return parseArgs({ args: [...args], options: { products: { type: 'string' } } }).values
  } catch {
    throw new Error(usage)
  }
}
