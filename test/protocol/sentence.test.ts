import { describe, expect, test } from 'vitest'
import { interpreter, say } from '../../src/protocol/sentence.ts'

test('what is marked reads as it is written', () => {
  const port = 8001
  expect([say('It is gone.'), say`Port ${port} is free.`, say`${null} and ${'two'}`]).toEqual([
    'It is gone.',
    'Port 8001 is free.',
    'null and two',
  ])
})

describe('an interpreter', () => {
  const tell = interpreter({
    'Port {0} is free.': 'ポート {0} は空いています。',
    'Port {0} is held by {1}.': 'ポート {0} は {1*} が使っています。',
    'another program': '別のプログラム',
    'There is no {0}.': '{0} がありません。',
    "There is no program '{0}' on PATH.": 'PATH に「{0}」がありません。',
    'must be more': '大きくしてください',
    'Nothing is here.': 'ここには何もありません。',
    "The engine '{0}' does not run: {1}": 'エンジン「{0}」は動いていません: {1*}',
    'Make room (`models rm`), and say {0}?': '空きを作って {0} と言う',
  })

  test.each([
    ['Nothing is here.', 'ここには何もありません。'],
    ['Port 8001 is free.', 'ポート 8001 は空いています。'],
    // A value that is a word of ours, and one that is somebody else's.
    ['Port 8001 is held by another program.', 'ポート 8001 は 別のプログラム が使っています。'],
    ['Port 8001 is held by python (pid 7).', 'ポート 8001 は python (pid 7) が使っています。'],
    // The one that says more.
    ["There is no program 'vllm' on PATH.", 'PATH に「vllm」がありません。'],
    ['There is no /opt/a.b/c.', '/opt/a.b/c がありません。'],
    // Several, and a sentence as the value of another.
    ['Nothing is here. Port 1 is free.', 'ここには何もありません。ポート 1 は空いています。'],
    [
      "The engine 'q' does not run: There is no /x. Nothing is here.",
      'エンジン「q」は動いていません: /x がありません。ここには何もありません。',
    ],
    // Details in brackets, of which not each is ours.
    ['Nothing is here. (There is no /x.; ENOENT)', 'ここには何もありません。(/x がありません。; ENOENT)'],
    // The place that it is about, and lines.
    ['server.port: must be more', 'server.port: 大きくしてください'],
    ['a.yaml:12:5  server.port: must be more', 'a.yaml:12:5  server.port: 大きくしてください'],
    ['a: must be more\nOdd.\nNothing is here.', 'a: 大きくしてください\nOdd.\nここには何もありません。'],
    // Characters that mean something in patterns.
    ['Make room (`models rm`), and say a|b?', '空きを作って a|b と言う'],
    // A value over several lines.
    ['There is no a\nb.', 'a\nb がありません。'],
  ])('tells %j', (text, told) => expect([tell(text), tell(text)]).toEqual([told, told]))

  test.each([
    '',
    'toString',
    'Port 8001 is fine.',
    'Nothing is here',
    'Nothing is here. It is odd.',
    'There is no /x. It is odd.',
    `There is no ${'x'.repeat(5000)}.`,
  ])('leaves %j as it is', (text) => expect(tell(text)).toBe(text))

  test('a long text of others is soon given up', () => {
    const text = `${'There is no b. '.repeat(100)}zzz`
    expect(tell(text)).toBe(text)
  })

  test('a value that looks like a place is no place', () => {
    expect(tell('Port {1} is held by {0}.')).toBe('ポート {1} は {0} が使っています。')
  })

  test('goes on after more texts than it remembers', () => {
    for (let i = 0; i < 1200; i++) expect(tell(`Port ${i} is free.`)).toBe(`ポート ${i} は空いています。`)
  })
})
