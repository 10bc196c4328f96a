import type { Text } from '../domain.ts'

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

function formatMoney({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  return format.format(amount / 10 ** digits)
}
