import { describe, expect, test } from 'vitest'
import {
  countedIn,
  judgeCanary,
  LIFE_RULES,
  type Life,
  type LifeSigns,
  type LifeVerdict,
  newLife,
  watchLife,
} from '../../src/policy/engine-liveness.ts'

const aSign = (more: Partial<LifeSigns> = {}): LifeSigns => ({
  now: 0,
  inFlight: 0,
  lastTokenAt: 0,
  prefillTokens: 0,
  counted: null,
  health: 'ok',
  ...more,
})

/** Looks every 2 s, answers canaries as told, and says what happened when. */
function live(untilMs: number, signs: (now: number) => Partial<LifeSigns>, answersCanary: (now: number) => boolean) {
  let life: Life = newLife(0)
  let canary: { askedAt: number; due: number } | null = null
  const story: [atS: number, LifeVerdict['is'] | 'canary'][] = []
  const CANARY_MS = 30_000
  for (let now = 0; now <= untilMs; now += 2000) {
    let verdict: LifeVerdict
    ;[life, verdict] = watchLife(life, aSign({ now, ...signs(now) }), LIFE_RULES)
    if (verdict.is === 'recovered') story.push([now / 1000, 'recovered'])
    if (verdict.is === 'ask' && canary === null) {
      story.push([now / 1000, 'canary'])
      canary = { askedAt: now, due: answersCanary(now) ? now : now + CANARY_MS }
    }
    if (canary !== null && canary.due <= now) {
      const answered = answersCanary(now)
      ;[life, verdict] = judgeCanary(life, { answered, askedAt: canary.askedAt, now }, LIFE_RULES)
      canary = null
      if (verdict.is === 'hung') return [...story, [now / 1000, 'hung']]
    }
  }
  return story
}

const never = () => false
const always = () => true

describe('an engine', () => {
  test('that brings no token while requests wait is given up within 180 s', () => {
    expect(live(600_000, () => ({ inFlight: 3 }), never)).toEqual([
      [60, 'canary'],
      [92, 'canary'],
      [122, 'hung'],
    ])
  })

  test('that answers canaries is not given up, however long the others wait', () => {
    const story = live(600_000, () => ({ inFlight: 3 }), always)
    expect(story.map(([, what]) => what)).not.toContain('hung')
  })

  test('whose tokens come slowly is left alone', () => {
    const slowly = (now: number) => ({ inFlight: 1, lastTokenAt: Math.floor(now / 50_000) * 50_000 })
    expect(live(3_600_000, slowly, never)).toEqual([])
  })

  test('whose counters move is left alone, though no client has seen a token', () => {
    expect(live(3_600_000, (now) => ({ inFlight: 1, counted: Math.floor(now / 10_000) }), never)).toEqual([])
  })

  test('whose gauges lie is judged by what we have sent, not by them', () => {
    expect(live(600_000, () => ({ inFlight: 1, counted: 17 }), never).at(-1)).toEqual([122, 'hung'])
  })

  test('that reads a long prompt has the time for it: ten minutes of silence are no hang', () => {
    const prompt = 12_000
    const story = live(
      660_000,
      (now) => ({ inFlight: 1, prefillTokens: prompt, lastTokenAt: now >= 600_000 ? now : 0 }),
      never,
    )
    expect(story).toEqual([])
  })

  test('that says it is dead is asked at once', () => {
    expect(live(100_000, (now) => ({ health: now >= 10_000 ? 'dead' : 'ok' }), never).slice(0, 1)).toEqual([
      [10, 'canary'],
    ])
  })

  test('that does not answer at all is asked after 30 s, also without work', () => {
    const story = live(600_000, () => ({ health: 'silent' }), never)
    expect(story).toEqual([
      [30, 'canary'],
      [62, 'canary'],
      [92, 'hung'],
    ])
  })

  test('that answers late now and then is left alone', () => {
    expect(live(280_000, (now) => ({ health: now % 20_000 === 0 ? 'ok' : 'silent' }), never)).toEqual([])
  })

  test('without work is asked every five minutes', () => {
    expect(live(1_000_000, () => ({}), always)).toEqual([
      [300, 'canary'],
      [600, 'canary'],
      [900, 'canary'],
    ])
  })

  test('that hung while idle is found by that', () => {
    expect(live(1_000_000, () => ({}), never).at(-1)?.[1]).toBe('hung')
  })

  test('is not suspected by the first request after a long rest', () => {
    const story = live(400_000, (now) => ({ inFlight: now >= 290_000 ? 1 : 0 }), always)
    expect(story[0]).toEqual([348, 'canary'])
    expect(story.map(([, what]) => what)).not.toContain('recovered')
  })

  test('recovers when tokens come again', () => {
    const pause = (now: number) => ({ inFlight: 1, lastTokenAt: now < 80_000 ? 0 : now })
    expect(live(100_000, pause, never)).toEqual([
      [60, 'canary'],
      [80, 'recovered'],
    ])
  })
})

test('counters are those that move with the work, of all its engines', () => {
  const metrics = [
    'vllm:iteration_tokens_total_count{engine="0",model_name="m"} 7.0',
    'vllm:iteration_tokens_total_count{engine="1",model_name="m"} 3.0',
    'vllm:generation_tokens_total{engine="0",model_name="m"} 100.0',
    'vllm:num_requests_running{engine="0",model_name="m"} 5.0',
    'vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e9',
  ].join('\n')
  expect(countedIn(metrics)).toBe(110)
  expect(countedIn('llamacpp:tokens_predicted_total 12\n')).toBe(12)
  expect(countedIn('up 1\n')).toBeNull()
})
