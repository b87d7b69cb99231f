import { expect, test } from 'vitest'
import { followLog } from '../../src/cli/follow-log.ts'
import type { EngineLog } from '../../src/protocol/commands.ts'
import type { GatewayLog } from '../../src/protocol/gateway-log.ts'

const never = (): never => {
  throw new Error('not asked for')
}

/** What is printed of these answers, and which cursors were asked with. */
async function followed(answers: readonly Omit<EngineLog, 'engine'>[], json = false) {
  const stopped = new AbortController()
  const asked: (string | undefined)[] = []
  let out = ''
  const engineLog = async ({ after }: { after?: string | undefined } = {}): Promise<EngineLog> => {
    asked.push(after)
    if (asked.length === answers.length) stopped.abort()
    return { engine: 'qwen', ...answers[asked.length - 1]! }
  }
  await followLog(
    { engineLog, gatewayLog: never },
    { name: 'engineLog', args: {}, json },
    (text) => (out += text),
    stopped.signal,
  )
  return { asked, out }
}

test('a log is followed from where its last answer ended, through its beginning and its gaps', async () => {
  const { asked, out } = await followed([
    { lines: [], cursor: null, skipped: false },
    { lines: ['one', 'two\x1b[31m'], cursor: '7-8', skipped: false },
    { lines: ['nine'], cursor: '9-5', skipped: true },
  ])
  expect(asked).toEqual([undefined, undefined, '7-8'])
  expect(out).toBe('one\ntwo\u{fffd}[31m\n… some lines are left out here\nnine\n')
})

test('as JSON it is one object a line', async () => {
  expect((await followed([{ lines: ['a "b"'], cursor: null, skipped: false }], true)).out).toBe(
    '{"line":"a \\"b\\""}\n',
  )
})

test.each([
  [
    false,
    '… 3 lines are not kept any more\n2026-11-21T12:00:00Z INFO    ready port=8001\n2026-11-21T12:00:09Z ERROR   lost\n',
  ],
  [
    true,
    '{"seq":4,"at":"2026-11-21T12:00:00Z","level":"INFO","message":"ready","details":"port=8001"}\n{"seq":5,"at":"2026-11-21T12:00:09Z","level":"ERROR","message":"lost","details":""}\n',
  ],
])('the log of Lexora itself is followed the same way (JSON: %s)', async (json, printed) => {
  const stopped = new AbortController()
  const asked: unknown[] = []
  const answers: GatewayLog[] = [
    {
      entries: [{ seq: 4, at: '2026-11-21T12:00:00Z', level: 'INFO', message: 'ready', details: 'port=8001' }],
      next: 4,
      missed: 3,
    },
    { entries: [], next: 4, missed: 0 },
    {
      entries: [{ seq: 5, at: '2026-11-21T12:00:09Z', level: 'ERROR', message: 'lost', details: '' }],
      next: 5,
      missed: 0,
    },
  ]
  const gatewayLog = async (args: object = {}): Promise<GatewayLog> => {
    asked.push(args)
    if (asked.length === answers.length) stopped.abort()
    return answers[asked.length - 1]!
  }
  let out = ''
  const follow = { name: 'gatewayLog', args: { level: 'INFO' }, json } as const
  await followLog({ engineLog: never, gatewayLog }, follow, (text) => (out += text), stopped.signal)
  expect(asked).toEqual([{ level: 'INFO' }, { level: 'INFO', after: 4 }, { level: 'INFO', after: 4 }])
  expect(out).toBe(printed)
})
