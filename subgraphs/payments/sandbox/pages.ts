import type { Charge } from './ledger.ts'

/** What a page of the sandbox may do: nothing but send its own forms. */
export const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"

/** The page on which a payer confirms a charge, or lets it fail. */
export function authenticationPage({ reference, amount, currency, status }: Charge): string {
  const sum = `${amount} ${currency} (minor units)`
  if (status !== 'requires_action') return page(`<p>This payment of ${sum} is ${status}. You can close this page.</p>`)
  return page(`
    <p>A shop asks for ${sum}. Nothing here is real.</p>
    <form method="post" action="${reference}/confirm"><button>Confirm</button></form>
    <form method="post" action="${reference}/fail"><button>Fail</button></form>`)
}

function page(content: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sandbox bank</title>
<style>body { font: 1rem system-ui; max-width: 30rem; margin: 4rem auto } button { font: inherit; margin: .5rem 0 }</style>
<h1>Sandbox bank</h1>${content}</html>
`
}
