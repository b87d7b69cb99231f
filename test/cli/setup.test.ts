/** The first run in a terminal: a whole Lexora of its own, a fake vLLM and GPU, and a person who answers. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EXIT } from '../../src/app/exit-codes.ts'
import { aMachine, hubFiles } from '../desktop/machine.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { inTerminal, inTerminalOf } from '../support/terminal.ts'
import { aHome, lexora, waitFor } from './program.ts'

/** Answers by what is asked; what is not foreseen is answered as Enter does. */
type Answers = Record<string, string>

async function aUser(more: { hub?: string; gpu?: boolean; models?: string[] } = {}) {
  const { models = [], ...of } = more
  const machine = aMachine(of)
  onTestFinished(() => machine.dispose())
  for (const model of models) machine.addModel(model, 16_000_000_000)
  const home = aHome()
  const started = lexora(home, ['--no-ui', '--port', '0', '--log-format', 'json'], machine.env)
  await waitFor('Lexora', () => started.out().includes('"ready"'), started.out)
  const setUp = async (argv: string, answers: Answers | null = null) => {
    const asked: string[] = []
    const answer = (question: string): string => {
      asked.push(question)
      return Object.entries(answers ?? {}).find(([part]) => question.includes(part))?.[1] ?? ''
    }
    const person =
      answers === null
        ? {}
        : {
            ask: async (question: string) => answer(question) === 'y',
            prompt: async (question: string) => answer(question),
          }
    const world = { home, env: { ...machine.env, LEXORA_HOME: home }, ...person }
    return { asked, ...(await inTerminalOf(world, 'setup', ...argv.split(' ').filter(Boolean))) }
  }
  const config = join(home, 'lexora_config.yaml')
  return { setUp, config: () => (existsSync(config) ? readFileSync(config, 'utf8') : '') }
}

describe('lexora setup', () => {
  test('leads from nothing to a first answer, and changes only what was agreed to', async () => {
    const { setUp, config } = await aUser({ models: ['acme/tiny-8B'] })
    const { code, out, asked } = await setUp('', { 'A number': '1', 'together with Lexora': 'y' })
    expect({ code, out }).toMatchObject({ code: EXIT.ok })
    for (const word of [
      'RTX 5090',
      'vLLM on PATH',
      'acme/tiny-8B',
      'fits',
      'tiny-8b: ready',
      'answers: the first token after',
      'curl ',
    ])
      expect(out.toLowerCase()).toContain(word.toLowerCase())
    expect(out.match(/^\d of 6 {2}.+$/gm)).toEqual([
      '1 of 6  This machine',
      '2 of 6  vLLM',
      '3 of 6  A model',
      '4 of 6  Start it',
      '5 of 6  A first request',
      '6 of 6  From now on',
    ])
    // vLLM is there, so nobody is asked to install it.
    expect(asked).toHaveLength(2)
    expect(config()).toMatch(/tiny-8b:[\s\S]*autostart: true/)
    const again = await setUp('--json --model acme/tiny-8B')
    expect(JSON.parse(again.out)).toMatchObject({ model: 'acme/tiny-8B', engine: 'tiny-8b', bench: { errors: 0 } })
    expect(config().match(/tiny-8b:/g)).toHaveLength(1)
  }, 120_000)

  test('where every answer is Enter shows the way by the demo, and writes nothing', async () => {
    const { setUp, config } = await aUser({ gpu: false })
    const { code, out } = await setUp('', {})
    expect(code).toBe(EXIT.ok)
    expect(out).toContain('No model was chosen.')
    expect(out).toContain('"model":"demo-chat"')
    expect(config()).toBe('')
  }, 120_000)

  test('fetches what is named, and says why where that cannot be', async () => {
    const hub = await FakeHub.start({ 'acme/small': { files: hubFiles(200_000) } })
    const { setUp } = await aUser({ hub: hub.address })
    const wrong = await setUp('--model acme/none')
    expect(wrong).toMatchObject({ code: EXIT.failure, err: expect.stringContaining('acme/none') })
    expect(await setUp('', { 'A number': '99' })).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('99'),
    })
    const { code, out } = await setUp('--model acme/small --autostart')
    expect({ code, out }).toMatchObject({ code: EXIT.ok })
    expect(out).toContain('small: ready')
  }, 120_000)

  test('needs a Lexora that runs, and knows its own options', async () => {
    const home = aHome()
    const early = await inTerminal(home, 'setup')
    expect(early.code).toBe(EXIT.notRunning)
    expect(early.err).toContain('Start it first: lexora')
    const mistyped = await inTerminal(home, 'setup', '--modle', 'x')
    expect(mistyped.code).toBe(EXIT.usage)
    expect(mistyped.err).toContain('--model NAME')
  })
})
