import { describe, expect, test } from 'vitest'
import { BodyBudget } from '../../src/gateway/body-budget.ts'
import { type Foreseen, TokenForecast, tokensOf } from '../../src/gateway/token-forecast.ts'

const foreseen = (text: string, over: Partial<Foreseen> = {}): Foreseen => ({
  body: Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: text }] })),
  model: 'm',
  app: '',
  generates: true,
  choices: 1,
  ...over,
})
const usage = (prompt: number, completion: number) => ({ prompt, completion, cached: null })

describe('a forecast', () => {
  test('learns how many bytes a model’s token has', () => {
    const forecast = new TokenForecast()
    const long = foreseen('x'.repeat(10_000))
    for (let i = 0; i < 200; i++) forecast.learn(long, forecast.rough(long), usage(2000, 10))
    expect(forecast.rough(long).promptTokens).toBeGreaterThan(1900)
    expect(forecast.rough(long).promptTokens).toBeLessThan(2100)
    expect(forecast.rough({ ...long, model: 'other' }).promptTokens).toBeGreaterThan(3000)
  })

  test('knows how long the answers of each program are; a new one is taken to be like its model', () => {
    const forecast = new TokenForecast()
    for (let i = 0; i < 300; i++) {
      forecast.learn(foreseen('a', { app: 'chat' }), forecast.rough(foreseen('a')), usage(10, 100))
      forecast.learn(foreseen('a', { app: 'agent' }), forecast.rough(foreseen('a')), usage(10, 1000))
    }
    expect(Math.round(forecast.rough(foreseen('a', { app: 'chat' })).meanAnswer / 10)).toBe(10)
    expect(Math.round(forecast.rough(foreseen('a', { app: 'agent' })).meanAnswer / 100)).toBe(10)
    const fresh = forecast.rough(foreseen('a', { app: 'new' })).meanAnswer
    expect(fresh).toBeGreaterThan(300)
    expect(fresh).toBeLessThan(800)
  })

  test('counts no answer where none is generated, and one for each choice', () => {
    const forecast = new TokenForecast()
    expect(forecast.rough(foreseen('a', { generates: false })).meanAnswer).toBe(0)
    expect(forecast.rough(foreseen('a', { choices: 3 })).meanAnswer).toBe(900)
    expect(tokensOf({ ...forecast.rough(foreseen('a')), promptTokens: 10 }, 50)).toBe(60)
  })

  test.each(['rough', 'precise'] as const)('does not take an image for text (%s)', (how) => {
    const forecast = new TokenForecast()
    const image = `data:image/png;base64,${'iVBORw0KGgo'.repeat(100_000)}`
    const { promptTokens } = forecast[how](foreseen(`${'word '.repeat(4000)}${image}`))
    expect(promptTokens).toBeGreaterThan(1000)
    expect(promptTokens).toBeLessThan(12_000)
  })

  test('keeps no more programs than a thousand', () => {
    const forecast = new TokenForecast()
    for (let i = 0; i < 3000; i++)
      forecast.learn(foreseen('a', { app: `app ${i}` }), forecast.rough(foreseen('a')), usage(1, 1))
    // What came after shares its model's lengths, which have been learned by all.
    expect(forecast.rough(foreseen('a', { app: 'app 2999' })).meanAnswer).toBeLessThan(2)
  })
})

describe('the budget of bodies', () => {
  test('refuses what does not fit, keeps some room for small ones, and takes back', () => {
    const budget = new BodyBudget(1_000_000)
    expect(budget.take(900_000, 900_000)).toBe(true)
    expect(budget.take(200_000, 200_000)).toBe(false)
    expect(budget.take(60_000, 60_000)).toBe(true)
    expect(budget.take(60_000, 60_000)).toBe(true)
    expect(budget.take(60_000, 120_000)).toBe(false)
    budget.give(900_000)
    expect(budget.take(200_000, 200_000)).toBe(true)
  })
})
