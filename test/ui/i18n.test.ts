import { describe, expect, test } from 'vitest'
import { en, type MessageKey } from '../../renderer/i18n/en.ts'
import { chooseLanguage, translator } from '../../renderer/i18n/index.ts'
import { ja } from '../../renderer/i18n/ja.ts'
import { ko } from '../../renderer/i18n/ko.ts'

/** The same in every language: names, units and codes, or nothing but placeholders. */
const ALIKE: readonly MessageKey[] = [
  'tile.vram',
  'chart.gpu',
  'chart.p50',
  'chart.p95',
  'col.speed',
  'col.ttft',
  'holders.pid',
  'try.temperature',
  'header.gpu',
  'status.ttft',
  'status.lan',
  'status.kv',
  'status.vram',
  'tile.p95',
  'connect.ok',
]

const placeholders = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()
const isBare = (text: string): boolean => !/\p{L}/u.test(text.replaceAll(/\{\w+\}/g, ''))

describe.each([
  ['ja', ja, /[\u3040-\u30ff\u4e00-\u9fff]/],
  ['ko', ko, /[\uac00-\ud7af]/],
] as const)('%s', (_, messages, script) => {
  test('has the keys of English, no more and no fewer', () => {
    expect(Object.keys(messages)).toEqual(Object.keys(en))
  })

  test.each(Object.keys(en) as MessageKey[])('%s names the same values, in words of its own', (key) => {
    const [theirs, ours] = [messages[key], en[key]]
    expect(placeholders(theirs)).toEqual(placeholders(ours))
    if (isBare(ours) || ALIKE.includes(key)) return
    expect(theirs).not.toBe(ours)
    expect(theirs).toMatch(script)
  })
})

test('the list of what is alike holds nothing that differs', () => {
  expect(ALIKE.filter((key) => en[key] !== ja[key] || en[key] !== ko[key])).toEqual([])
})

test('a sentence takes its values, and the count chooses its form', () => {
  const t = translator('en')
  expect(t('palette.goTo', { screen: 'Users' })).toBe('Go to Users')
  expect([t.count('log.lines', 1), t.count('log.lines', 0), translator('ja', ja).count('log.lines', 1)]).toEqual([
    '1 line',
    '0 lines',
    '1 行',
  ])
})

test.each([
  ['ko', ['en-US'], 'ko'],
  [null, ['de-CH', 'ja-JP', 'en'], 'ja'],
  ['xx', ['fr'], 'en'],
] as const)('chosen %j of a person who reads %j: %s', (chosen, theirs, language) => {
  expect(chooseLanguage(chosen, theirs)).toBe(language)
})
