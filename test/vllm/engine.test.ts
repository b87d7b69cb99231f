/** A real vLLM that Lexora itself starts, watches, heals and stops: what the process double says is held to this. */
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort } from '../bench/lexora-process.ts'
import { CHAT, chat, describeWithVllm, post } from './suite.ts'
import { type Engine, Lexora, START_MS, TINY_ARGS, tinyEnvironment } from './supervised.ts'

/** Processes below `pid`, itself included, by their names; none where it is gone. */
function familyOf(pid: number): { pid: number; name: string }[] {
  const all = readdirSync('/proc').flatMap((entry) => {
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const end = text.lastIndexOf(')')
      const [state, parent] = text.slice(end + 2).split(' ')
      if (state === 'Z') return []
      return [{ pid: Number(entry), parent: Number(parent), name: text.slice(text.indexOf('(') + 1, end) }]
    } catch {
      return []
    }
  })
  const found = all.filter((one) => one.pid === pid)
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid))
  return found
}

const isAlive = (pid: number): boolean => familyOf(pid).length > 0

describeWithVllm('a real vLLM that Lexora starts', (vllm) => {
  const given = (port: number, over: Engine = {}): Engine => ({
    kind: 'vllm',
    model: vllm.env.model,
    served_name: 'tiny',
    port,
    launch: 'venv',
    venv: dirname(dirname(vllm.env.vllm)),
    args: TINY_ARGS,
    env: tinyEnvironment(vllm.env.cacheRoot),
    ...over,
  })

  describe('from its first request on', () => {
    let lexora: Lexora

    beforeAll(async () => {
      lexora = new Lexora({ main: given(await freePort()) })
      await lexora.start()
    })
    afterAll(async () => {
      await lexora.end('SIGTERM')
      lexora.remove()
    })

    const core = async (): Promise<number> =>
      familyOf((await lexora.engine()).pid!).find(({ name }) => name.startsWith('VLLM::EngineCor'))!.pid

    test(
      'the request starts it, phases are seen, and then it is answered',
      async () => {
        const answer = post(lexora.base, CHAT, chat(4, {}))
        const seen = new Set<string>()
        let isDone = false
        void answer.then(() => {
          isDone = true
        })
        while (!isDone) {
          const { state } = await lexora.engine()
          seen.add(state.is === 'starting' ? `starting: ${state.phase}` : state.is)
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        const done = await answer
        expect([done.status, await done.json()], lexora.output).toMatchObject([
          200,
          { usage: { completion_tokens: 4 } },
        ])
        expect((await lexora.engine()).state.is).toMatch(/ready|busy/)
        const phases = [...seen].filter((one) => one.startsWith('starting: '))
        expect(phases.length, [...seen].join(', ')).toBeGreaterThanOrEqual(3)
      },
      START_MS,
    )

    test('its permits follow its metrics: size of the cache, and what runs', async () => {
      const leaving = new AbortController()
      const streams = Array.from({ length: 3 }, () =>
        post(lexora.base, CHAT, chat(2000, { stream: true }), leaving.signal).then((answer) => answer.text()),
      )
      await vi.waitFor(
        async () => {
          const { permits } = (await lexora.snapshot()).queues[0]!
          expect(permits).toMatchObject({ auto: true, inFlight: 3, limit: 6, openLoop: false, alarm: null })
          expect(permits.kvUse).toBeGreaterThan(0)
        },
        { timeout: 20_000 },
      )
      leaving.abort()
      await Promise.allSettled(streams)
      await vi.waitFor(async () => expect((await lexora.snapshot()).queues[0]!.permits.inFlight).toBe(0), {
        timeout: 20_000,
      })
    })

    test.each(['EngineCore', 'API server'])(
      'the %s dies by SIGKILL: a stream ends in an error event, who waited is answered by the next run',
      async (who) => {
        const { pid } = await lexora.engine()
        const victim = who === 'EngineCore' ? await core() : pid!
        const broken = await post(lexora.base, CHAT, chat(3000, { stream: true }))
        const reader = broken.body!.getReader()
        await reader.read()
        const waiting = post(lexora.base, CHAT, chat(4, {}))
        process.kill(victim, 'SIGKILL')
        let rest = ''
        for (let part = await reader.read(); !part.done; part = await reader.read())
          rest += Buffer.from(part.value).toString()
        expect(rest).toContain('"error"')
        expect(rest).not.toContain('[DONE]')
        const answer = await waiting
        expect(
          answer.status,
          `${await answer.clone().text()} ${JSON.stringify([...answer.headers])}\n${lexora.output}`,
        ).toBe(200)
        const after = await lexora.engine()
        expect(after.pid).not.toBe(pid)
        expect(isAlive(pid!)).toBe(false)
      },
      START_MS,
    )

    test(
      'a restart that its operator asks for ends the one and starts the other, and forgets the crashes before it',
      async () => {
        const { pid } = await lexora.engine()
        await lexora.admin('/admin/engines/restart', { engine: 'main' })
        await vi.waitFor(async () => expect((await lexora.engine()).pid).not.toBe(pid), { timeout: 60_000 })
        await lexora.reaches('ready')
        expect(isAlive(pid!)).toBe(false)
      },
      START_MS,
    )

    const guard = (): number => {
      const folder = join(lexora.home, 'engines')
      const [file] = readdirSync(folder).filter((name) => name.endsWith('.json'))
      return (JSON.parse(readFileSync(join(folder, file!), 'utf8')) as { guard: { pid: number } }).guard.pid
    }

    test.each<[who: string, signal: NodeJS.Signals, victim: () => Promise<number>]>([
      ['guard', 'SIGKILL', async () => guard()],
      ['API server', 'SIGTERM', async () => (await lexora.engine()).pid!],
      ['EngineCore', 'SIGTERM', core],
    ])(
      'the %s gets %s while nothing runs: a new one takes its place, and nothing of the old one is left',
      async (_who, signal, victim) => {
        const { pid } = await lexora.engine()
        const family = familyOf(pid!)
        process.kill(await victim(), signal)
        await vi.waitFor(async () => expect((await lexora.engine()).state.is).not.toMatch(/ready|busy/), {
          timeout: 30_000,
        })
        await lexora.reaches('ready')
        expect((await lexora.engine()).pid).not.toBe(pid)
        expect(family.filter((one) => isAlive(one.pid))).toEqual([])
      },
      START_MS,
    )

    test('a guard that stands still for a while changes nothing', async () => {
      const { pid } = await lexora.engine()
      process.kill(guard(), 'SIGSTOP')
      expect((await post(lexora.base, CHAT, chat(8, {}))).status).toBe(200)
      process.kill(guard(), 'SIGCONT')
      expect((await lexora.engine()).pid).toBe(pid)
    })

    test(
      'a Lexora that was killed and started again goes on with the same engine',
      async () => {
        const { pid } = await lexora.engine()
        await lexora.end('SIGKILL')
        await lexora.start()
        await lexora.reaches('ready', 30_000)
        expect((await lexora.engine()).pid).toBe(pid)
        expect((await post(lexora.base, CHAT, chat(2, {}))).status).toBe(200)
      },
      START_MS,
    )

    test(
      'its end is the end of the engine: no process left, the port free',
      async () => {
        const { pid, port } = await lexora.engine()
        await lexora.end('SIGTERM')
        expect(isAlive(pid!), lexora.output).toBe(false)
        const server = createServer().listen(port!, '127.0.0.1')
        await once(server, 'listening')
        server.close()
      },
      START_MS,
    )
  })

  describe('that cannot start says why', () => {
    test.each<[what: string, over: (engine: Engine) => Engine, cause: RegExp]>([
      ['a folder that is not there', (engine) => ({ ...engine, model: '/nowhere/at/all' }), /nowhere/],
      ['a flag that it does not know', (engine) => withArgs(engine, { 'max-modell-len': 10 }), /max-modell-len/],
      ['a type that there is not', (engine) => withArgs(engine, { dtype: 'float99' }), /float99|dtype/],
      [
        'a context that is too long',
        (engine) => withArgs(engine, { 'max-model-len': 100_000_000 }),
        /context|max-model-len/i,
      ],
      [
        'a shard that is cut off',
        (engine) => withArgs({ ...engine, model: aCutModel(vllm.env.model) }, { 'load-format': 'auto' }),
        /shard|weights|incomplete|cut|file/i,
      ],
    ])(
      '%s',
      async (_what, over, cause) => {
        const lexora = new Lexora({ main: over(given(await freePort())) })
        await lexora.start()
        try {
          const answer = await post(lexora.base, CHAT, chat(2, {}))
          const { error } = (await answer.json()) as { error: { code: string; message: string } }
          expect([answer.status, error.code], lexora.output).toEqual([503, 'engine_failed'])
          expect(error.message).toMatch(cause)
          expect((await lexora.engine()).state.is).toMatch(/failed|not-installed/)
        } finally {
          await lexora.end('SIGTERM')
          lexora.remove()
        }
      },
      START_MS,
    )

    test('a port that a stranger holds, who is named and left alone', async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const lexora = new Lexora({ main: given((server.address() as { port: number }).port) })
      await lexora.start()
      try {
        const answer = await post(lexora.base, CHAT, chat(2, {}))
        const { error } = (await answer.json()) as { error: { code: string; message: string } }
        expect([answer.status, error.code], lexora.output).toEqual([503, 'engine_failed'])
        expect(error.message).toContain('is held by')
        expect(server.listening).toBe(true)
      } finally {
        await lexora.end('SIGTERM')
        lexora.remove()
        server.close()
      }
    })
  })
})

function withArgs(engine: Engine, args: Engine): Engine {
  return { ...engine, args: { ...(engine['args'] as Engine), ...args } }
}

/** The tiny model with weights that say they are longer than they are. */
function aCutModel(model: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'cut-model-'))
  for (const name of readdirSync(model)) {
    if (!/\.(safetensors|bin)$/.test(name)) writeFileSync(join(folder, name), readFileSync(join(model, name)))
  }
  const header = JSON.stringify({ weight: { dtype: 'F32', shape: [1000, 1000], data_offsets: [0, 4_000_000] } })
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, Buffer.from(header), Buffer.alloc(1000)]))
  return folder
}
