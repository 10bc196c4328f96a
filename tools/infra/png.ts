import { crc32, deflateSync } from 'node:zlib'

/** Pixels, row by row, as red, green, blue and an alpha that is not looked at. */
export type Pixels = { readonly width: number; readonly height: number; readonly rgba: Uint8Array }

/**
 * A PNG with a palette: a third of what a browser writes. The 256 colours that most pixels have are kept as they are; any
 * other, of which pictures of text have few, becomes the nearest of them.
 */
export function encodePng({ width, height, rgba }: Pixels): Buffer {
  const counts = new Map<number, number>()
  const colours = Uint32Array.from({ length: width * height }, (_, index) => colourAt(rgba, index * 4))
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const byUse = [...counts].sort(([, one], [, other]) => other - one).map(([colour]) => colour)
  const palette = byUse.slice(0, 256)
  const indexes = new Map(byUse.map((colour) => [colour, nearest(colour, palette)]))

  const lines = Buffer.alloc((width + 1) * height)
  for (const [index, colour] of colours.entries()) {
    // Each line begins with its filter: 0, none.
    lines[index + Math.floor(index / width) + 1] = indexes.get(colour) ?? 0
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3], 8)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(channels))),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function colourAt(rgba: Uint8Array, at: number): number {
  const [red = 0, green = 0, blue = 0] = rgba.subarray(at, at + 3)
  return (red << 16) | (green << 8) | blue
}

function channels(colour: number): number[] {
  return [colour >> 16, (colour >> 8) & 255, colour & 255]
}

function nearest(colour: number, palette: readonly number[]): number {
  const own = channels(colour)
  const distances = palette.map((other) =>
    channels(other).reduce((sum, value, index) => sum + (value - (own[index] ?? 0)) ** 2, 0),
  )
  return distances.indexOf(Math.min(...distances))
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}
