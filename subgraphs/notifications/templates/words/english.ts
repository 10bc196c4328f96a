import type { Block, DeclineReason, Draft, ShopReason, Shown, ShownCode, Words } from './words.ts'

const declined: Record<DeclineReason, string> = {
  FUNDS: 'There was not enough money for it.',
  EXPIRED: 'The card has expired.',
  DETAILS: 'The details of the card were not right.',
  UNCONFIRMED: 'The bank could not confirm that it was you.',
  ABANDONED: 'It was called off before it was complete.',
  TROUBLE: 'The bank could not handle it at the time.',
  REFUSED: 'The bank or the card issuer refused it.',
}

const cancelled: Record<ShopReason, string> = {
  EXPIRED: 'It was not paid in time, and we no longer hold its items.',
  REFUNDED: 'All that was paid for it has been given back.',
  ACCOUNT_ERASED: 'The account that it belonged to was deleted.',
}

const always: Block = { note: 'We always send this message: it protects your account.' }

export const english: Words = {
  longestShort: 160,
  greeting: (name) => (name ? `Hello ${name},` : 'Hello,'),
  row: ({ label, value }) => `${label}: ${value}`,
  notification,
  code,
}

function notification(shown: Shown): Draft {
  switch (shown.type) {
    case 'WELCOME':
      return {
        title: 'Welcome',
        short: 'Welcome. Your account is ready.',
        blocks: [
          'Your account is ready. Good to have you with us.',
          { note: 'In your account you choose which messages you receive, and how.' },
        ],
      }
    case 'ORDER_PLACED':
      return {
        title: `Order ${shown.number} placed`,
        short: `Order ${shown.number} placed, ${shown.total}. We hold the items for you until it is paid.`,
        blocks: [
          `Thank you. We hold these items for your order ${shown.number}:`,
          {
            rows: shown.items.map(({ name, quantity, price }) => ({ label: `${quantity} × ${name}`, value: price })),
            more: shown.more > 0 ? `and ${shown.more} more` : undefined,
            total: { label: 'Total', value: shown.total },
          },
          { note: 'An order that is not paid in time is cancelled automatically.' },
        ],
      }
    case 'ORDER_PAID':
      return {
        title: `Order ${shown.number} paid`,
        short: `Order ${shown.number} is paid: ${shown.total}. Thank you.`,
        blocks: [
          `Thank you. We have received ${shown.total} for your order ${shown.number}.`,
          'We will tell you when it is on its way.',
        ],
      }
    case 'PAYMENT_DECLINED': {
      const payment = `payment${shown.amount && ` of ${shown.amount}`}${shown.number && ` for order ${shown.number}`}`
      return {
        title: `Payment declined${shown.number && ` for order ${shown.number}`}`,
        short: `Your ${payment} was declined. ${declined[shown.reason]}`,
        blocks: [
          `Your ${payment} was declined. ${declined[shown.reason]}`,
          'Nothing was taken from you. As long as we hold the items, you can pay again, with another card for example.',
        ],
      }
    }
    case 'ORDER_SHIPPED':
      return {
        title: `Order ${shown.number} shipped`,
        short: `Order ${shown.number} is on its way. Tracking number: ${shown.trackingNumber}`,
        blocks: [
          `Your order ${shown.number} is on its way.`,
          { rows: [{ label: 'Tracking number', value: shown.trackingNumber }] },
        ],
      }
    case 'ORDER_DELIVERED':
      return {
        title: `Order ${shown.number} delivered`,
        short: `Order ${shown.number} was delivered.`,
        blocks: [`Your order ${shown.number} was delivered. We hope you like it.`],
      }
    case 'ORDER_CANCELLED': {
      const { number, reason } = shown
      const why =
        typeof reason === 'string' ? [cancelled[reason]] : reason ? [`The reason given: “${reason.words}”`] : []
      const paid = typeof reason === 'string' ? [] : ['If it was paid, the money is given back.']
      return {
        title: `Order ${number} cancelled`,
        short: [`Order ${number} was cancelled.`, ...(typeof reason === 'string' ? why : paid)].join(' '),
        blocks: [`Your order ${number} was cancelled.`, ...why, ...paid],
      }
    }
    case 'PAYMENT_REFUNDED': {
      const payment = `your payment${shown.number && ` for order ${shown.number}`}`
      return {
        title: shown.number ? `Refund for order ${shown.number}` : 'Your refund',
        short: shown.full
          ? `We have refunded ${payment} in full: ${shown.amount}.`
          : `We have refunded ${shown.amount} of ${payment}.`,
        blocks: [
          shown.full ? `We have refunded ${payment} in full.` : `We have refunded a part of ${payment}.`,
          { rows: [], total: { label: 'Refund', value: shown.amount } },
          { note: 'With some banks it takes a few days until you see it.' },
        ],
      }
    }
    case 'NEW_SIGN_IN':
      return {
        title: 'New sign-in to your account',
        short: `New sign-in to your account on ${shown.at}. If it was not you, change your password at once.`,
        blocks: [
          `Someone signed in to your account with your password on ${shown.at}.`,
          'If it was you, there is nothing to do. If not, change your password at once.',
          always,
        ],
      }
    case 'PASSWORD_CHANGED':
      return {
        title: 'Your password was changed',
        short: `Your password was changed on ${shown.at}. If it was not you, reset it at once.`,
        blocks: [
          `The password of your account was changed on ${shown.at}.`,
          'If it was you, there is nothing to do. If not, reset it at once with a code to your e-mail address.',
          always,
        ],
      }
    case 'EMAIL_CHANGED':
      return {
        title: 'Your e-mail address was changed',
        short: `The e-mail address of your account was changed on ${shown.at}. If it was not you, change your password at once.`,
        blocks: [
          `The e-mail address of your account was changed on ${shown.at}.`,
          'If it was you, there is nothing to do. If not, change your password at once, or tell us if you can no longer sign in.',
          always,
        ],
      }
  }
}

function code({ purpose, code, minutes }: ShownCode): Omit<Draft, 'short'> {
  const good = minutes === 0 ? 'less than a minute' : minutes === 1 ? '1 minute' : `${minutes} minutes`
  const care = `It is good for ${good}, once. Give it to nobody; we never ask for it.`
  switch (purpose) {
    case 'RESET_PASSWORD':
      return {
        title: 'Your code for a new password',
        blocks: [
          'With this code you choose a new password:',
          { code },
          care,
          { note: 'If you did not ask for it, do nothing: your password stays as it is.' },
        ],
      }
    case 'VERIFY_EMAIL':
      return {
        title: 'Your code to confirm this address',
        blocks: [
          'With this code you confirm that this e-mail address is yours:',
          { code },
          care,
          {
            note: 'If you did not ask for it, someone gave your address by mistake. Do nothing: without the code it stays unconfirmed.',
          },
        ],
      }
  }
}
