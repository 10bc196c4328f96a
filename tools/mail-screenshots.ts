/**
 * `npm run mail:screenshots`: what mails look like in a browser, in each language, light and dark, as pictures in
 * `docs/mail/`, which `docs/mail.md` shows. Needs a Chromium: `CHROMIUM_BIN`, or `chromium` on the path; and a font that
 * has Chinese. It fails when a mail asks for anything from elsewhere, or is wider than a phone.
 */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Facts } from '../subgraphs/notifications/domain/message.ts'
import { renderCode, renderNotification } from '../subgraphs/notifications/templates/templates.ts'
import { encodePng } from './infra/png.ts'
import { root } from './services.ts'

const folder = join(root, 'docs/mail')
/** CSS pixels. */
const width = 600
const phoneWidth = 320

const people = {
  en: { name: 'Ada Lovelace', locale: 'en-GB' },
  zh: { name: '王小明', locale: 'zh-CN' },
}
type Language = keyof typeof people

const euros = (amount: number) => ({ amount, currency: 'EUR' })
const number = 'K7QX-3M9T'
const placed = (names: readonly [string, string, string]): Facts => ({
  type: 'ORDER_PLACED',
  number,
  items: [
    { name: names[0], quantity: 1, unitPrice: euros(3_490) },
    { name: names[1], quantity: 2, unitPrice: euros(1_250) },
    { name: names[2], quantity: 6, unitPrice: euros(420) },
  ],
  total: euros(8_510),
})
const mails: Record<string, (language: Language) => { html: string }> = {
  'order-placed': (language) =>
    renderNotification(
      language === 'en'
        ? placed(['Cast Iron Skillet 26 cm', 'Linen Tea Towel, Set of Two', 'Stoneware Espresso Cup'])
        : placed(['铸铁煎锅 26 厘米', '亚麻茶巾（两条装）', '陶瓷浓缩咖啡杯']),
      people[language],
    ),
  'order-shipped': (language) =>
    renderNotification({ type: 'ORDER_SHIPPED', number, trackingNumber: '1Z999AA10123456784' }, people[language]),
  'payment-refunded': (language) =>
    renderNotification({ type: 'PAYMENT_REFUNDED', number, amount: euros(2_500), full: false }, people[language]),
  'reset-code': (language) =>
    renderCode({ purpose: 'RESET_PASSWORD', code: 'K7QX3M9T', lifetime: 900 }, people[language]),
}

/** Runs in the browser: four images become one. */
const drawSheet = `
  const images = [...document.images]
  const canvas = document.querySelector('canvas')
  canvas.width = 2 * ${width}
  canvas.height = images[0].naturalHeight + images[2].naturalHeight
  const context = canvas.getContext('2d')
  images.forEach((image, index) => {
    context.drawImage(image, (index % 2) * ${width}, index < 2 ? 0 : images[0].naturalHeight)
  })
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  ({ width: canvas.width, height: canvas.height, base64: new Uint8Array(data.buffer).toBase64() })
`

try {
  const browser = await chromium.launch({ executablePath: chromiumFile() })
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, render] of Object.entries(mails)) {
      const pictures: Buffer[] = []
      for (const language of ['en', 'zh'] as const) {
        for (const colorScheme of ['light', 'dark'] as const) {
          pictures.push(await picture(browser, render(language).html, colorScheme))
        }
      }
      const sheet = await contactSheet(browser, pictures)
      writeFileSync(join(folder, `${name}.png`), sheet)
      console.log(`docs/mail/${name}.png  ${(sheet.length / 1024).toFixed(0)} kB`)
    }
  } finally {
    await browser.close()
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/** The whole mail, as a client without scripts shows it. */
async function picture(browser: Browser, html: string, colorScheme: 'light' | 'dark'): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width, height: 100 }, colorScheme, javaScriptEnabled: false })
  try {
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.setContent(html)
    if (requests.length > 0) throw new Error(`A mail asks for ${requests.join(', ')}`)
    await page.setViewportSize({ width: phoneWidth, height: 100 })
    const widest = await page.evaluate<number>('document.documentElement.scrollWidth')
    if (widest > phoneWidth) throw new Error(`A mail is ${widest} px wide where there are ${phoneWidth}.`)
    await page.setViewportSize({ width, height: 100 })
    return await page.screenshot({ fullPage: true })
  } finally {
    await page.close()
  }
}

/** Light and dark side by side, a language in each row. */
async function contactSheet(browser: Browser, pictures: readonly Buffer[]): Promise<Buffer> {
  const page = await browser.newPage()
  try {
    const images = pictures.map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`)
    await page.setContent(`${images.join('')}<canvas></canvas>`)
    const { base64, ...size } = await page.evaluate<{ width: number; height: number; base64: string }>(drawSheet)
    return encodePng({ ...size, rgba: Buffer.from(base64, 'base64') })
  } finally {
    await page.close()
  }
}

function chromiumFile(): string {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN
  for (const place of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(place, 'chromium'), constants.X_OK)
      return join(place, 'chromium')
    } catch {
      // Not here.
    }
  }
  throw new Error('There is no chromium on the path. Install one, or name it by CHROMIUM_BIN.')
}
