/** What people type into a search box, as words. Pure, and total: nothing that can be typed is an error. */

/**
 * What is searched for: each place has a word that must occur, or several of which one must. A run of Chinese, Japanese or
 * Korean characters is one word, which occurs wherever its characters stand side by side.
 */
export type Terms = readonly (readonly string[])[]

/** Words that count, and characters of one. What goes beyond is cut off. */
const mostWords = 8
const longestWord = 32
/** Characters that are looked at. */
const longestSearch = 1_000

/** Written without spaces, so that every character is a word to the database (`search_text` in the migrations). */
const unspaced = '\\u3005-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7a3\\uf900-\\ufaff\\u{20000}-\\u{3ffff}'
const word = new RegExp(`(?:(?=\\p{L})[${unspaced}])+|(?:(?![${unspaced}])[\\p{L}\\p{N}\\p{M}])+`, 'gu')
const onlyUnspaced = new RegExp(`^[${unspaced}]+$`, 'u')

/** The words of a search, in their order, each once. None when there is nothing in it that could be found. */
export function parseWords(text: string): string[] {
  const words = text.slice(0, longestSearch).normalize('NFC').match(word) ?? []
  const cut = words.map((found) => Array.from(found).slice(0, longestWord).join(''))
  return [...new Set(cut)].slice(0, mostWords)
}

/** Whether a word is a run of characters that are words each. */
export function isUnspaced(text: string): boolean {
  return onlyUnspaced.test(text)
}

/** Whether something is what a search was, when it comes back from outside. */
export function areTerms(value: unknown): value is Terms {
  const isWord = (text: unknown) =>
    typeof text === 'string' && text.match(word)?.join() === text && text.length <= 2 * longestWord
  const isPlace = (place: unknown) =>
    Array.isArray(place) && place.length >= 1 && place.length <= 4 && place.every(isWord)
  return Array.isArray(value) && value.length >= 1 && value.length <= mostWords && value.every(isPlace)
}

/**
 * What may have been meant by words that are nowhere found together. `nearest` has, for each, the words of the catalogue
 * that are like it, the likest first. Undefined when none is.
 */
export function correctedTerms(words: readonly string[], nearest: readonly (readonly string[])[]): Terms | undefined {
  const terms = words.map((wanted, index) => {
    const near = nearest[index] ?? []
    return near[0] === wanted.toLowerCase() ? [wanted] : [wanted, ...near.slice(0, 3)]
  })
  return terms.some(({ length }) => length > 1) ? terms : undefined
}
