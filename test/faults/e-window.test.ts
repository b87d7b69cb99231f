/** Row E17 of the fault catalogue: markup in names. How it looks in a browser is shown by test/desktop. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { startApp, startFake } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

const RENDERER = fileURLToPath(new URL('../../renderer', import.meta.url))
const MARKUP = '<img src=x onerror=alert(1)>'
/** Every way from a text to markup that a browser has. */
const AS_MARKUP =
  /dangerouslySetInnerHTML|\b(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc/i

describe('E: the window', () => {
  test('E17 names with markup travel as data, the page runs no inline script, and nothing in it turns text into markup', async () => {
    const fake = await startFake({ models: [MARKUP] })
    const { url, port } = await startApp([{ name: 'a', url: fake.url }], { uiDir: RENDERER })
    const answer = await ask(port, aChat({ model: MARKUP, user: MARKUP }))
    expect(answer.status).toBe(200)
    for (const path of ['/v1/models', '/stats', '/health', '/metrics']) {
      const { headers } = await fetch(`${url}${path}`)
      expect([path, headers.get('content-type')]).toEqual([
        path,
        expect.stringMatching(/^(application\/json|text\/plain)/),
      ])
    }
    const page = await fetch(`${url}/ui/`)
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*script-src 'self';/)

    const files = readdirSync(RENDERER, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(tsx?|html)$/.test(name),
    )
    expect(files.length).toBeGreaterThan(50)
    expect(files.filter((name) => AS_MARKUP.test(readFileSync(join(RENDERER, name), 'utf8')))).toEqual([])
  })
})
