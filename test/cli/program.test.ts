/** The program as it is started by hand: its run file, and the commands beside it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFake } from '../support/app.ts'
import { aHome, lexora, type Run, waitFor } from './program.ts'

async function serve(home: string): Promise<Run> {
  const { url } = await startFake()
  const run = lexora(home, ['--no-ui', '--port', '0', '--log-format', 'json'], { LEXORA_VLLM__URL: url })
  await waitFor('it serves', () => run.out().includes('"msg":"ready"') || run.child.exitCode !== null, run.out)
  return run
}

async function status(home: string): Promise<{ code: number | null; out: string }> {
  const run = lexora(home, ['status'])
  return { code: await run.ended, out: run.out() }
}

test('a Lexora that was asked to stop takes its run file with it; one that was killed is not believed any more', async () => {
  const home = aHome()
  const runFile = join(home, 'run.json')
  const first = await serve(home)
  expect(await status(home)).toEqual({ code: 0, out: expect.stringContaining(`pid ${first.child.pid}`) })
  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  expect(existsSync(runFile)).toBe(false)

  const second = await serve(home)
  second.child.kill('SIGKILL')
  await second.ended
  expect(existsSync(runFile)).toBe(true)
  expect((await status(home)).code).toBe(3)

  const third = await serve(home)
  expect(await status(home)).toEqual({ code: 0, out: expect.stringContaining(`pid ${third.child.pid}`) })
})

test('`lexora quit` ends it as a signal does', async () => {
  const home = aHome()
  const server = await serve(home)
  const asked = lexora(home, ['quit'])
  expect([await asked.ended, asked.out()]).toEqual([0, 'Lexora ends now.\n'])
  expect([await server.ended, existsSync(join(home, 'run.json'))]).toEqual([0, false])
  expect(await lexora(home, ['quit']).ended).toBe(3)
})

test('a second Lexora of the same user serves beside the first, says who the CLI finds, and leaves its file alone', async () => {
  const home = aHome()
  const [first, second] = [await serve(home), await serve(home)]
  expect(second.out()).toContain('another Lexora of this user')
  expect((await status(home)).out).toContain(`pid ${first.child.pid}`)
  second.child.kill('SIGTERM')
  await second.ended
  expect((await status(home)).out).toContain(`pid ${first.child.pid}`)
})

test('the token stands in the run file and nowhere else', async () => {
  const home = aHome()
  const run = await serve(home)
  const { token } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as { token: string }
  const told = [await status(home), { out: run.out() }].map(({ out }) => out).join('')
  expect(token).toHaveLength(43)
  expect(told).not.toContain(token)
})

test('Ctrl-C ends a watch, not the server', async () => {
  const home = aHome()
  const server = await serve(home)
  const watching = lexora(home, ['status', '--watch'])
  await waitFor('it watches', () => watching.out().includes('serving'), watching.out)
  watching.child.kill('SIGINT')
  expect(await watching.ended).toBe(0)
  expect([server.child.exitCode, (await status(home)).code]).toEqual([null, 0])
})

test('the doctor takes the demo engine of the Lexora that runs for its own', async () => {
  const home = aHome()
  const server = lexora(home, ['--no-ui', '--port', '0', '--engine', 'demo'])
  await waitFor('the demo engine is ready', () => server.out().includes('engine=demo state=ready'), server.out)
  const doctor = lexora(home, ['doctor'])
  await doctor.ended
  expect(doctor.out()).toContain('No engine of an earlier Lexora is left.')
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
}, 60_000)
