import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

/** The window's files, as `app://lexora/…`: an origin of its own that no web page can be, and no path of the disk. */

export const SCHEME = 'app'
export const ORIGIN = 'app://lexora'
export const START_URL = `${ORIGIN}/index.html`

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}

/** As the browser face has it, but that the page speaks to nobody: all goes through `window.lexora`. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** The file that an address names, below `root`; null: none that is served. */
export function uiFile(root: string, url: string): { path: string; type: string } | null {
  if (!URL.canParse(url)) return null
  const { protocol, host, pathname } = new URL(url)
  if (protocol !== `${SCHEME}:` || host !== 'lexora') return null
  let name: string
  try {
    name = decodeURIComponent(pathname === '/' ? '/index.html' : pathname)
  } catch {
    return null
  }
  // Names as the build makes them; a dot begins none of them, so that no step leads upwards.
  if (!/^(?:\/[\w-][\w.-]*)+$/.test(name)) return null
  const type = TYPES[extname(name)]
  return type === undefined ? null : { path: join(root, ...name.split('/')), type }
}

/** Answers one request of the window. */
export async function serveUi(root: string, url: string): Promise<Response> {
  const found = uiFile(root, url)
  const bytes = found === null ? null : await readFile(found.path).catch(() => null)
  if (found === null || bytes === null) return answer('Not found', 'text/plain; charset=utf-8', 404)
  return answer(new Uint8Array(bytes), found.type)
}

export function answer(body: string | Uint8Array<ArrayBuffer>, type: string, status = 200, policy = POLICY): Response {
  return new Response(body, {
    status,
    headers: { ...HEADERS, 'content-type': type, 'content-security-policy': policy },
  })
}

/** Who may speak to the main process: a page of ours, in the window's own frame. */
export function isOurPage(url: string | undefined): boolean {
  if (url === undefined || !URL.canParse(url)) return false
  const { protocol, host } = new URL(url)
  return protocol === `${SCHEME}:` && host === 'lexora'
}
