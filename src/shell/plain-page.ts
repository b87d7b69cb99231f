import { createHash } from 'node:crypto'
import { ORIGIN } from './ui-scheme.ts'
import type { Say, WordKey } from './words.ts'

/** What the window shows where its renderer cannot: plain words and ways on, without a script. */
export type PlainPage =
  | { is: 'refused' | 'ended'; said: string }
  | { is: 'missing' }
  | { is: 'crashed'; reason: string }

export const PAGE_DEEDS = ['again', 'reload', 'config', 'logs', 'quit'] as const

export type PageDeed = (typeof PAGE_DEEDS)[number]

const DEEDS: Record<PlainPage['is'], readonly PageDeed[]> = {
  refused: ['again', 'config', 'logs', 'quit'],
  ended: ['again', 'logs', 'quit'],
  missing: ['reload', 'quit'],
  crashed: ['reload', 'logs', 'quit'],
}

const STYLE = `
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 24px; box-sizing: border-box }
main { max-width: 640px }
h1 { font-size: 20px; font-weight: 600; margin: 0 0 8px }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 45vh; overflow: auto; padding: 12px; border: 1px solid #8886; border-radius: 6px; font-size: 13px }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 16px }
a { padding: 6px 14px; border: 1px solid #8888; border-radius: 6px; color: inherit; text-decoration: none }
a:first-child { background: #0b5e4b; border-color: #0b5e4b; color: #fff }
a:focus-visible { outline: 2px solid #17a37d; outline-offset: 2px }
`

/** Nothing but this one style. */
export const PLAIN_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export function plainPage(page: PlainPage, say: Say, language: string): string {
  const key: WordKey = `page.${page.is}`
  const values: Record<string, string> = page.is === 'crashed' ? { reason: page.reason } : {}
  const said = 'said' in page ? `<pre tabindex="0">${escaped(page.said.trim())}</pre>` : ''
  const links = DEEDS[page.is].map((deed) => `<a href="do/${deed}">${escaped(say(`page.${deed}`))}</a>`)
  return [
    `<!doctype html><html lang="${language}"><meta charset="utf-8"><title>Lexora</title><style>${STYLE}</style>`,
    `<main><h1>${escaped(say(key))}</h1><p>${escaped(say(`page.${page.is}.say`, values))}</p>${said}`,
    `<nav>${links.join('')}</nav></main></html>`,
  ].join('')
}

export function deedUrl(deed: PageDeed): string {
  return `${ORIGIN}/do/${deed}`
}

/** What an address of such a page asks for; null: it is no deed. */
export function deedOf(url: string): PageDeed | null {
  return PAGE_DEEDS.find((deed) => url === deedUrl(deed)) ?? null
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
