/** Whether text is the URL of a push service. */
export function isPushEndpoint(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'https:'
}
