import type { Block, DeclineReason, Draft, ShopReason, Shown, ShownCode, Words } from './words.ts'

const declined: Record<DeclineReason, string> = {
  FUNDS: '账户余额不足。',
  EXPIRED: '银行卡已过期。',
  DETAILS: '银行卡信息有误。',
  UNCONFIRMED: '银行未能确认是您本人操作。',
  ABANDONED: '付款在完成前被取消。',
  TROUBLE: '银行当时无法处理此付款。',
  REFUSED: '银行或发卡机构拒绝了此付款。',
}

const cancelled: Record<ShopReason, string> = {
  EXPIRED: '订单未按时付款，商品不再为您保留。',
  REFUNDED: '已付款项已全部退还。',
  ACCOUNT_ERASED: '订单所属的账户已删除。',
}

const always: Block = { note: '此类消息用于保护您的账户，因此始终会发送。' }

/** Simplified Chinese. */
export const chinese: Words = {
  longestShort: 70,
  greeting: (name) => (name ? `${name}，您好：` : '您好：'),
  row: ({ label, value }) => `${label}：${value}`,
  notification,
  code,
}

function notification(shown: Shown): Draft {
  switch (shown.type) {
    case 'WELCOME':
      return {
        title: '欢迎您',
        short: '欢迎您！您的账户已经可以使用。',
        blocks: ['您的账户已经可以使用，很高兴您的加入。', { note: '您可以在账户中选择接收哪些消息以及接收方式。' }],
      }
    case 'ORDER_PLACED':
      return {
        title: `订单 ${shown.number} 已提交`,
        short: `订单 ${shown.number} 已提交，合计 ${shown.total}。付款前商品为您保留。`,
        blocks: [
          `感谢您的订购。我们已为您的订单 ${shown.number} 保留以下商品：`,
          {
            rows: shown.items.map(({ name, quantity, price }) => ({ label: `${name} × ${quantity}`, value: price })),
            more: shown.more > 0 ? `另有 ${shown.more} 项` : undefined,
            total: { label: '合计', value: shown.total },
          },
          { note: '未按时付款的订单会自动取消。' },
        ],
      }
    case 'ORDER_PAID':
      return {
        title: `订单 ${shown.number} 已付款`,
        short: `订单 ${shown.number} 已付款：${shown.total}。谢谢！`,
        blocks: [`谢谢！我们已收到您为订单 ${shown.number} 支付的 ${shown.total}。`, '发货后我们会通知您。'],
      }
    case 'PAYMENT_DECLINED': {
      const payment = `${shown.number ? `订单 ${shown.number} 的` : '您的'}付款${shown.amount && `（${shown.amount}）`}`
      return {
        title: `${shown.number && `订单 ${shown.number} `}付款被拒绝`,
        short: `${payment}被拒绝。${declined[shown.reason]}`,
        blocks: [
          `${payment}被拒绝。${declined[shown.reason]}`,
          '您并未被扣款。在商品为您保留期间，您可以重新付款，例如换一张银行卡。',
        ],
      }
    }
    case 'ORDER_SHIPPED':
      return {
        title: `订单 ${shown.number} 已发货`,
        short: `订单 ${shown.number} 已发货，运单号：${shown.trackingNumber}`,
        blocks: [`您的订单 ${shown.number} 已发货。`, { rows: [{ label: '运单号', value: shown.trackingNumber }] }],
      }
    case 'ORDER_DELIVERED':
      return {
        title: `订单 ${shown.number} 已送达`,
        short: `订单 ${shown.number} 已送达。`,
        blocks: [`您的订单 ${shown.number} 已送达，希望您喜欢。`],
      }
    case 'ORDER_CANCELLED': {
      const { number, reason } = shown
      const why = typeof reason === 'string' ? [cancelled[reason]] : reason ? [`取消原因：“${reason.words}”`] : []
      const paid = typeof reason === 'string' ? [] : ['如果您已付款，款项会退还给您。']
      return {
        title: `订单 ${number} 已取消`,
        short: [`订单 ${number} 已取消。`, ...(typeof reason === 'string' ? why : paid)].join(''),
        blocks: [`您的订单 ${number} 已取消。`, ...why, ...paid],
      }
    }
    case 'PAYMENT_REFUNDED': {
      const payment = shown.number ? `订单 ${shown.number} 的付款` : '您的付款'
      const how = shown.full ? '全额退还' : '部分退还'
      return {
        title: shown.number ? `订单 ${shown.number} 退款` : '您的退款',
        short: `${payment}已${how}：${shown.amount}。`,
        blocks: [
          `${payment}已${how}。`,
          { rows: [], total: { label: '退款金额', value: shown.amount } },
          { note: '部分银行可能需要几天才能到账。' },
        ],
      }
    }
    case 'NEW_SIGN_IN':
      return {
        title: '您的账户有新的登录',
        short: `您的账户于${shown.at}有新的登录。如非本人操作，请立即更改密码。`,
        blocks: [
          `有人于${shown.at}使用您的密码登录了您的账户。`,
          '如果是您本人，则无需任何操作；如果不是，请立即更改密码。',
          always,
        ],
      }
    case 'PASSWORD_CHANGED':
      return {
        title: '您的密码已更改',
        short: `您的密码已于${shown.at}更改。如非本人操作，请立即重设密码。`,
        blocks: [
          `您账户的密码已于${shown.at}更改。`,
          '如果是您本人，则无需任何操作；如果不是，请立即通过发送到您邮箱的验证码重设密码。',
          always,
        ],
      }
    case 'EMAIL_CHANGED':
      return {
        title: '您的邮箱地址已更改',
        short: `您账户的邮箱地址已于${shown.at}更改。如非本人操作，请立即更改密码。`,
        blocks: [
          `您账户的邮箱地址已于${shown.at}更改。`,
          '如果是您本人，则无需任何操作；如果不是，请立即更改密码；如已无法登录，请联系我们。',
          always,
        ],
      }
  }
}

function code({ purpose, code, minutes }: ShownCode): Omit<Draft, 'short'> {
  const good = minutes === 0 ? '不到 1 分钟' : `${minutes} 分钟`
  const care = `验证码有效期：${good}，仅可使用一次。请勿告诉任何人，我们绝不会向您索要。`
  switch (purpose) {
    case 'RESET_PASSWORD':
      return {
        title: '您的新密码验证码',
        blocks: [
          '请使用以下验证码设置新密码：',
          { code },
          care,
          { note: '如果您没有请求此验证码，请不必理会：您的密码不会改变。' },
        ],
      }
    case 'VERIFY_EMAIL':
      return {
        title: '您的邮箱确认验证码',
        blocks: [
          '请使用以下验证码确认此邮箱地址属于您：',
          { code },
          care,
          { note: '如果您没有请求此验证码，可能是有人误填了您的地址。请不必理会：没有验证码，地址不会被确认。' },
        ],
      }
  }
}
