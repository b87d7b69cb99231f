/** Help with code for editors: explain and rewrite, whole and as a stream. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { unifiedDiff } from '../../src/policy/unified-diff.ts'
import { ASSISTED } from '../../src/protocol/endpoints.ts'
import { activeTimers, assertSettled, type Patch, startApp, startFake } from '../support/app.ts'
import { ask, dataOf, errorOf } from '../support/requests.ts'
import { sendJson, startRecorder } from './recorder.ts'

const EXPLAIN = '/api/ai/explain'
const REWRITE = '/api/ai/rewrite'

async function setUp(content: string, config: Patch = {}) {
  const recorder = await startRecorder({
    models: ['coder'],
    answer: (_request, res) =>
      sendJson(res, 200, {
        id: 'x',
        object: 'chat.completion',
        model: 'coder',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
      }),
  })
  const lexora = await startApp([{ name: 'main', url: recorder.url }], {
    config: { default_model: 'coder', ...config },
  })
  return { recorder, lexora }
}

describe('explain', () => {
  test('asks the model with code, file, language and wish, and answers text, model and usage', async () => {
    const { recorder, lexora } = await setUp('It adds.')
    const body = { code: 'a + b', language: 'ts', path: 'src/a.ts', instruction: 'Why?' }
    const answer = await ask(lexora.port, body, {}, EXPLAIN)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { text: 'It adds.', model: 'coder', usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 } },
    ])
    const sent = JSON.parse(recorder.requests.at(-1)!.body.toString())
    expect(sent.messages.at(-1).content).toBe('File: src/a.ts\nLanguage: ts\nWhy?\n\na + b')
    expect(lexora.outcomes).toMatchObject([{ endpoint: '/v1/chat/completions', outcome: 'ok' }])
  })

  test('streams each piece, then the whole', async () => {
    const fake = await startFake({ tokenMs: 1 })
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const baseline = activeTimers()
    const answer = await ask(lexora.port, { code: 'x', model: 'tiny' }, {}, `${EXPLAIN}/stream`)
    const events = dataOf(answer.body)
    expect([answer.status, events.at(-1)]).toEqual([200, '[DONE]'])
    const pieces = events.slice(0, -2).map((event) => JSON.parse(event).delta as string)
    expect(JSON.parse(events.at(-2)!)).toMatchObject({
      text: pieces.join(''),
      model: 'tiny',
      usage: { prompt_tokens: expect.any(Number) },
    })
    await assertSettled(lexora, [fake], baseline + 4)
  })
})

describe('rewrite', () => {
  test('answers with a unified diff, also where the model fenced its code', async () => {
    const { lexora } = await setUp('```ts\nlet a = 1\nlet b = 3\n```')
    const answer = await ask(lexora.port, { code: 'let a = 1\nlet b = 2\n', path: '/src/a.ts' }, {}, REWRITE)
    expect(JSON.parse(answer.body).diff).toBe(
      '--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,2 +1,2 @@\n let a = 1\n-let b = 2\n+let b = 3\n',
    )
  })
})

describe('what goes wrong', () => {
  test.each<[body: unknown, param: string | null]>([
    [{}, 'code'],
    [{ code: '' }, 'code'],
    [{ code: 'x', languages: 'ts' }, 'languages'],
    [{ code: 5 }, 'code'],
  ])('%j is a 400 that names the field', async (body, param) => {
    const { lexora } = await setUp('')
    const answer = await ask(lexora.port, body, {}, EXPLAIN)
    expect([answer.status, errorOf(answer).param]).toEqual([400, param])
  })

  test('a key is needed where one is', async () => {
    const { lexora } = await setUp('yes', { auth: { api_keys: ['the-key-of-ann'] } })
    for (const path of ASSISTED) expect((await ask(lexora.port, { code: 'x' }, {}, path)).status).toBe(401)
    expect((await ask(lexora.port, { code: 'x' }, { authorization: 'Bearer the-key-of-ann' }, EXPLAIN)).status).toBe(
      200,
    )
  })

  test('a model that nobody has is a 404, a backend that fails a 503', async () => {
    const { lexora } = await setUp('yes')
    expect((await ask(lexora.port, { code: 'x', model: 'none' }, {}, EXPLAIN)).status).toBe(404)
    const broken = await startRecorder({ models: ['coder'], answer: (_request, res) => sendJson(res, 500, {}) })
    const other = await startApp([{ name: 'main', url: broken.url }], { config: { retry: { max_retries: 0 } } })
    expect((await ask(other.port, { code: 'x', model: 'coder' }, {}, EXPLAIN)).status).toBe(503)
  })
})

describe('a unified diff', () => {
  const hasPatch = spawnSync('patch', ['--version']).error === undefined
  test.skipIf(!hasPatch)('is what `patch` makes the new text of', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lexora-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 25 }).map((lines) => lines.join('\n'))
    fc.assert(
      fc.property(text, text, (before, after) => {
        fc.pre(before !== after && before !== '' && after !== '')
        writeFileSync(join(folder, 'f'), before)
        const run = spawnSync('patch', ['-s', '-p1', '--no-backup-if-mismatch', 'f'], {
          cwd: folder,
          input: unifiedDiff(before, after, 'f'),
        })
        expect([run.status, readFileSync(join(folder, 'f'), 'utf8')]).toEqual([0, after])
      }),
      { numRuns: 60 },
    )
  })

  test('of equal texts is empty', () => {
    expect(unifiedDiff('a', 'a', 'f')).toBe('')
  })
})
