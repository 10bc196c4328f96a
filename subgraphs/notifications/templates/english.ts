import type { Text } from '../domain.ts'

type OneTimeCode = {
  name: string
  code: string
  /** Seconds that the code is good for. */
  lifetime: number
}
type Money = { amount: number; currency: string }

export function welcome({ name }: { name: string }): Text {
  return { title: `Welcome, ${name}`, body: `Hello ${name},\n\nyour account is ready. Good to have you with us.` }
}

export function orderPlaced(order: {
  number: string
  items: readonly { name: string; quantity: number; unitPrice: Money }[]
  total: Money
}): Text {
  const lines = order.items.map(
    ({ name, quantity, unitPrice }) =>
      `  ${quantity} x ${name}, ${formatMoney({ ...unitPrice, amount: unitPrice.amount * quantity })}`,
  )
  return {
    title: `Order ${order.number} placed`,
    body: [
      `Thank you. We hold these items for your order ${order.number}:`,
      '',
      ...lines,
      '',
      `Total: ${formatMoney(order.total)}`,
    ].join('\n'),
  }
}

export function resetPassword({ name, code, lifetime }: OneTimeCode): Text {
  return {
    title: 'Your code for a new password',
    body: [
      `Hello ${name},`,
      '',
      'with this code you choose a new password:',
      '',
      code,
      '',
      `It is good for ${formatMinutes(lifetime)}, once. Give it to nobody; we never ask for it.`,
      '',
      'If you did not ask for it, do nothing: your password stays as it is.',
    ].join('\n'),
  }
}

export function verifyEmail({ name, code, lifetime }: OneTimeCode): Text {
  return {
    title: 'Your code to confirm this address',
    body: [
      `Hello ${name},`,
      '',
      'with this code you confirm that this e-mail address is yours:',
      '',
      code,
      '',
      `It is good for ${formatMinutes(lifetime)}, once. Give it to nobody; we never ask for it.`,
      '',
      'If you did not ask for it, someone gave your address by mistake. Do nothing: without the code it stays unconfirmed.',
    ].join('\n'),
  }
}

/** Whole minutes, never more than there are. */
function formatMinutes(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  if (minutes === 0) return 'less than a minute'
  return minutes === 1 ? '1 minute' : `${minutes} minutes`
}

function formatMoney({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  return format.format(amount / 10 ** digits)
}
