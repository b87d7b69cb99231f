import { describe, expect, test } from 'vitest'
import { ja } from '../../src/app/sentences/ja.ts'
import { ko } from '../../src/app/sentences/ko.ts'
import { uiCommands } from '../../src/app/ui-commands.ts'
import { interpreter } from '../../src/protocol/sentence.ts'
import { saidOfCore, unmarkedIn } from '../support/said.ts'

/** Where nearly every sentence is one for people. */
const OF_PEOPLE = [
  'app/doctor-checks.ts',
  'app/doctor-desktop.ts',
  'app/doctor-engines.ts',
  'app/doctor-gpus.ts',
  'app/doctor.ts',
  'app/fit.ts',
  'app/model-commands.ts',
  'config/warnings.ts',
  'engine/installer.ts',
  'engine/launch.ts',
  'engine/model-files.ts',
  'engine/preflight.ts',
  'engine/start-watch.ts',
  'engine/watched-run.ts',
  'models/choose-files.ts',
  'models/hub.ts',
  'models/pull.ts',
  'policy/failure-rules.ts',
  ...['device', 'host', 'launch', 'llama-server', 'memory', 'model', 'rule', 'settings'].map(
    (name) => `policy/failures/${name}.ts`,
  ),
]

const said = saidOfCore()
const sentences = [...said.sentences].sort()

const placesIn = (text: string): string[] => (text.match(/\{\d+\*?\}/g) ?? []).map((place) => place.replace('*', ''))
/** As a person would see it: values of different kinds, each of which can be found again. */
const FILLERS = ['/data/models/a.b', '12.5', 'Qwen/Qwen3-8B', 'four']
const filled = (text: string): string => text.replaceAll(/\{(\d+)\*?\}/g, (_, at: string) => FILLERS[Number(at)]!)

/** Names, which are the same in each language. */
const NAMES = [
  'node',
  'lexora',
  'gpu',
  'Node {0}.',
  'amd-smi: {0}',
  'nvidia-smi: {0}',
  'rocm-smi: {0}',
  '{0} (pid {1})',
]

describe('what the core says', () => {
  test('is marked so that it can be collected', () => {
    expect(said.missing).toEqual([])
    expect(sentences.length).toBeGreaterThan(500)
  })

  test.each(OF_PEOPLE)('is marked everywhere in %s', (path) => expect(unmarkedIn(path)).toEqual([]))

  test('numbers its values in their order, none beside another one, and has words of its own', () => {
    const odd = sentences.filter((text) => {
      const letters = text.replaceAll(/\{\d+\}/g, '').match(/\p{L}/gu) ?? []
      return /\}\{/.test(text) || (text.includes('{') && letters.length < 3)
    })
    expect(odd).toEqual([])
  })
})

test('the sentences of a language are handed out, and of one that nobody wrote its name is refused', async () => {
  const { sentences } = uiCommands({} as never, () => new Error())
  expect([await sentences({ language: 'ja' }), await sentences({ language: 'ko' })]).toEqual([
    { sentences: ja },
    { sentences: ko },
  ])
  await expect(sentences({ language: 'fr' })).rejects.toMatchObject({
    problem: { code: 'not_found', param: 'language' },
  })
})

describe.each([
  ['ja', ja, /[\u3040-\u30ff\u4e00-\u9fff]/],
  ['ko', ko, /[\uac00-\ud7af]/],
] as const)('in %s', (_, list, script) => {
  test('has all that the core says, and nothing else', () => {
    expect(Object.keys(list).sort()).toEqual(sentences)
  })

  test('takes the same values, in words of its own', () => {
    const odd = Object.entries(list).filter(([english, theirs]) => {
      const sameValues = placesIn(english).sort().join() === placesIn(theirs).sort().join()
      return !sameValues || (!script.test(theirs) && !NAMES.includes(english))
    })
    expect(odd).toEqual([])
  })

  test('each sentence is found again with its values, and never taken for another one', () => {
    const tell = interpreter(list)
    const odd = Object.entries(list).flatMap(([english, theirs]) => {
      const [text, told] = [filled(english), filled(theirs)]
      return tell(text) === told ? [] : [{ text, expected: told, told: tell(text) }]
    })
    expect(odd).toEqual([])
  })
})
