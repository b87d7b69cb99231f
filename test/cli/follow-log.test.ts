import { expect, test } from 'vitest'
import { followLog } from '../../src/cli/follow-log.ts'
import type { EngineLog } from '../../src/protocol/commands.ts'

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
  await followLog({ engineLog }, { args: {}, json }, (text) => (out += text), stopped.signal)
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
