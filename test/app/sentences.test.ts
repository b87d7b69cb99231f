import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ja } from '../../src/app/sentences/ja.ts'
import { ko } from '../../src/app/sentences/ko.ts'
import { uiCommands } from '../../src/app/ui-commands.ts'
import { formatIssue } from '../../src/config/issues.ts'
import { loadConfig } from '../../src/config/load.ts'
import { COMMANDS, type CommandName, parseCommandArgs } from '../../src/protocol/commands.ts'
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
const FILLERS = ['/data/models/a.b', '12.5', 'Qwen/Qwen3-8B', 'four', '5']
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

test.each([
  [
    'GPU 0: NVIDIA GeForce RTX 5090, driver 580.95.05, 30.6 of 31.8 GiB free.',
    'GPU 0: NVIDIA GeForce RTX 5090、ドライバー 580.95.05、空き 30.6 / 31.8 GiB。',
  ],
  [
    'vLLM is not installed, as far as Lexora can see. (No `venv` is named.; There is no /opt/b.)',
    'vLLM は、Lexora から見える範囲にはインストールされていません。(`venv` が指定されていません。; /opt/b がありません。)',
  ],
  ["Backend 'main' refused the connection.", 'バックエンド「main」: 接続を拒否しました。'],
  ["Backend 'main' answered 503.", 'バックエンド「main」が 503 を返しました。'],
  [
    'Too many requests at once for this user. Try again in 3 s.',
    'このユーザー: 同時のリクエストが多すぎます。3 秒後にもう一度試してください。',
  ],
  ['nvidia-smi: It does not answer.', 'nvidia-smi: 応答しません。'],
  [
    "The engine 'q' does not run: Docker does not run. Start Docker (or Docker Desktop).",
    'エンジン「q」は動いていません: Docker が動いていません。Docker（または Docker Desktop）を起動してください。',
  ],
  ['It could not be started: spawn EAGAIN.', '起動できませんでした: spawn EAGAIN。'],
])('as it comes, %s', (text, told) => expect(interpreter(ja)(text)).toBe(told))

describe('a refusal as it comes', () => {
  const tell = interpreter(ja)
  const refusalOf = (name: CommandName, given: object): string => {
    const parsed = parseCommandArgs(COMMANDS[name], given)
    return parsed.ok ? '' : parsed.problem.message
  }

  test.each<[CommandName, object, string]>([
    ['createUser', { name: '' }, 'name: 印字できる文字で、空でないようにしてください'],
    ['createUser', { name: 'a', nam: 1 }, 'nam: ここでは使えない項目です'],
    ['gatewayLog', { lines: 1.5 }, 'lines: 整数ではありません'],
    ['createUser', { name: 'a', max_concurrent: 0 }, 'max_concurrent: 1 より小さい値です'],
  ])('of %s %j', (name, given, told) => expect(tell(refusalOf(name, given))).toBe(told))

  test.each<[object, string]>([
    [{ server: { port: 'x' } }, 'server.port: 必要なのは 整数 で、テキスト ではありません'],
    [{ queue: { max_size: -1 } }, 'queue.max_size: '],
    [{ routing: { enabled: true } }, 'routing.enabled: routing.backends に 1 つ以上の項目が必要です'],
    [{ vllm: { url: 'ftp://a' } }, 'vllm.url: http:// か https:// で始めてください'],
  ])('of the configuration %j', (config, told) => {
    const folder = mkdtempSync(join(tmpdir(), 'said-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'c.yaml')
    writeFileSync(path, JSON.stringify(config))
    const machine = { env: { LEXORA_HOME: folder }, cwd: folder, home: folder, platform: 'linux' as const }
    const loaded = loadConfig({ ...machine, flags: {}, configPath: path })
    const [issue] = loaded.ok ? [] : loaded.issues
    const text = tell(formatIssue(issue!))
    expect(text).toContain(told)
    expect(text.slice(text.indexOf(': ') + 2)).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/)
  })
})
