/** Where pages lie that Lexora's own texts lead to. */
const PLACES = new Set(['huggingface.co', 'docs.astral.sh'])

/** Whether a link of the window may be opened in the person's browser: encrypted, and to a place that Lexora itself names. */
export function mayLeadTo(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname, port, username, password } = new URL(address)
  return protocol === 'https:' && PLACES.has(hostname) && port === '' && username === '' && password === ''
}
