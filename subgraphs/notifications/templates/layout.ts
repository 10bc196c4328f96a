import { escaped, unmarked } from './given.ts'
import type { Language } from './locale.ts'
import type { Block, Row, Words } from './words/words.ts'

/**
 * How an e-mail looks: one column of plain elements without tables, images, links or anything from elsewhere, so that
 * nothing is fetched and nothing tells that it was read. Its text goes into no attribute.
 *
 * Colours are light inline, for clients that drop style sheets, and dark by `prefers-color-scheme`. Text keeps the contrast of
 * WCAG AA (4.5 to 1) in both.
 */
export const palette = {
  light: { page: '#f2f4f7', card: '#ffffff', line: '#d3d9e0', text: '#1d2530', quiet: '#55606e', code: '#eef2f7' },
  dark: { page: '#14181d', card: '#1e242b', line: '#3a434e', text: '#e9edf2', quiet: '#aab4c0', code: '#2a323b' },
} as const

const { light, dark } = palette
const fonts = `-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif`

/** The style of each class. */
const styles = {
  page: `margin:0;padding:24px 12px;background:${light.page};color:${light.text};font:16px/1.6 ${fonts};-webkit-text-size-adjust:100%`,
  card: `max-width:520px;margin:0 auto;padding:28px 32px 20px;background:${light.card};border:1px solid ${light.line};border-radius:10px;overflow-wrap:anywhere`,
  title: 'margin:0 0 20px;font-size:22px;line-height:1.3;font-weight:600',
  text: 'margin:0 0 16px',
  rows: `margin:0 0 16px;padding:0;list-style:none;border-top:1px solid ${light.line}`,
  row: `display:flex;justify-content:space-between;gap:16px;padding:10px 0;border-bottom:1px solid ${light.line}`,
  more: `padding:10px 0;border-bottom:1px solid ${light.line};color:${light.quiet}`,
  total: 'display:flex;justify-content:space-between;gap:16px;padding:12px 0 0;font-weight:600',
  value: 'text-align:end;font-variant-numeric:tabular-nums',
  code: `margin:0 0 16px;padding:16px;border-radius:8px;background:${light.code};font:600 26px/1.3 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:3px;text-align:center`,
  note: `margin:0 0 8px;font-size:14px;color:${light.quiet}`,
}

const sheet = `
:root { color-scheme: light dark; supported-color-schemes: light dark }
@media (max-width: 480px) { .card { padding: 20px !important } }
@media (prefers-color-scheme: dark) {
  .page { background: ${dark.page} !important; color: ${dark.text} !important }
  .card { background: ${dark.card} !important; border-color: ${dark.line} !important }
  .rows, .row, .more { border-color: ${dark.line} !important }
  .code { background: ${dark.code} !important }
  .note, .more { color: ${dark.quiet} !important }
}
`

type Parts = { readonly title: string; readonly greeting: string; readonly blocks: readonly Block[] }

export function layOutHtml({ title, greeting, blocks }: Parts, language: Language): string {
  const content = [
    element('h1', 'title', escaped(title)),
    element('p', 'text', escaped(greeting)),
    ...blocks.map(blockHtml),
  ].join('\n')
  return `<!doctype html>
<html lang="${language}" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escaped(unmarked(title))}</title>
<style>${sheet}</style>
</head>
${element('body', 'page', `\n${element('main', 'card', `\n${content}\n`)}\n`)}
</html>
`
}

/** The same as lines of text. A code stands on a line of its own. */
export function layOutText({ greeting, blocks }: Omit<Parts, 'title'>, row: Words['row']): string {
  return unmarked([greeting, ...blocks.map((block) => blockText(block, row))].join('\n\n'))
}

function blockHtml(block: Block): string {
  if (typeof block === 'string') return element('p', 'text', escaped(block))
  if ('code' in block) return element('p', 'code', escaped(block.code))
  if ('note' in block) return element('p', 'note', escaped(block.note))
  const { rows, more, total } = block
  const items = [
    ...rows.map((row) => rowHtml('row', row)),
    ...(more ? [element('li', 'more', escaped(more))] : []),
    ...(total ? [rowHtml('total', total)] : []),
  ]
  return `<ul class="rows" role="list" style="${styles.rows}">\n${items.join('\n')}\n</ul>`
}

function rowHtml(style: 'row' | 'total', { label, value }: Row): string {
  return element('li', style, `<span>${escaped(label)}</span> ${element('span', 'value', escaped(value))}`)
}

function element(tag: string, style: keyof typeof styles, content: string): string {
  return `<${tag} class="${style}" style="${styles[style]}">${content}</${tag}>`
}

function blockText(block: Block, row: Words['row']): string {
  if (typeof block === 'string') return block
  if ('code' in block) return block.code
  if ('note' in block) return block.note
  const { rows, more, total } = block
  const list = [...rows.map((line) => `  ${row(line)}`), ...(more ? [`  ${more}`] : [])]
  return [list.join('\n'), ...(total ? [row(total)] : [])].filter(Boolean).join('\n\n')
}
