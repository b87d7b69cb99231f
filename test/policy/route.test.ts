import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Asked, type BackendView, planRoute, type RouteTable } from '../../src/policy/route.ts'
import { asking, aTable, aView } from './given.ts'

const asks = (model: string | null, task: string | null = null): Asked => asking({ model, task })

/** The plan as `backend/model as role`, or the refusal as its code. */
function plan(asked: Asked, backends: readonly BackendView[], table: RouteTable = aTable()): string[] {
  const route = planRoute(asked, backends, table)
  if (!route.ok) return [route.problem.code]
  return route.candidates.map(({ backend, model, role }) => `${backend}/${model} as ${role}`)
}

describe('a model goes to the backends that have it', () => {
  const a = aView('a', { models: ['m', 'n'] })
  const b = aView('b', { models: ['m'] })

  test('and to no other', () => {
    expect(plan(asks('n'), [a, b])).toEqual(['a/n as peer'])
  })

  test('in the order of the configuration where both are idle', () => {
    expect(plan(asks('m'), [a, b])).toEqual(['a/m as peer', 'b/m as peer'])
  })

  test('the least busy first', () => {
    expect(plan(asks('m'), [aView('a', { models: ['m'], inFlight: 2 }), b])).toEqual(['b/m as peer', 'a/m as peer'])
  })

  test('by the name that each one knows', () => {
    const mapped = aView('c', { modelMapping: { m: 'org/m-8b' } })
    expect(plan(asks('m'), [a, mapped])).toEqual(['a/m as peer', 'c/org/m-8b as peer'])
  })

  test('under its alias too', () => {
    expect(planRoute(asks('code'), [a], aTable({ aliases: { code: 'n' } }))).toEqual({
      ok: true,
      model: 'n',
      candidates: [{ backend: 'a', model: 'n', role: 'peer' }],
    })
  })

  test('with names that every object has being names like others', () => {
    expect(plan(asks('__proto__'), [a])).toEqual(['model_not_found'])
    expect(plan(asks('constructor'), [aView('a', { models: ['constructor'] })])).toEqual(['a/constructor as peer'])
  })
})

describe('a model that no backend has', () => {
  const a = aView('a', { models: ['qwen3-8b', 'llama-3.1-8b'], fallbackBackends: ['b'] })
  const b = aView('b', { models: ['other'] })

  test('is refused with the backends that are blocked, and with how to lift that', () => {
    const table = aTable({ blocked: ['far', 'lan'] })
    const says = (backends: readonly BackendView[]) => {
      const route = planRoute(asks('new'), backends, table)
      return route.ok ? null : [route.problem.code, route.problem.message]
    }
    const words = 'the backends far, lan are blocked (privacy.blocked; lifted by lexora outbound allow)'
    expect(says([a])).toEqual(['model_not_found', expect.stringContaining(`does not exist, and ${words}. Served here`)])
    expect(says([])).toEqual(['no_backend', `No backend is left: ${words}.`])
  })

  test('goes to the default backend and its fallbacks', () => {
    expect(plan(asks('new'), [a, b], aTable({ defaultBackend: 'a' }))).toEqual(['a/new as peer', 'b/new as fallback'])
  })

  test('is refused without one, with the nearest names', () => {
    expect(planRoute(asks('qwen-8b'), [a, b], aTable({ aliases: { 'qwen-8': 'x' } }))).toEqual({
      ok: false,
      problem: {
        code: 'model_not_found',
        message: "The model 'qwen-8b' does not exist. Did you mean qwen-8 or qwen3-8b?",
        param: 'model',
      },
    })
  })

  test('is refused with what there is, where nothing is near', () => {
    expect(planRoute(asks('zzzzzzzzz'), [b], aTable())).toMatchObject({
      problem: { message: "The model 'zzzzzzzzz' does not exist. Served here: other." },
    })
  })

  test('is refused for now while a backend has not told its models', () => {
    const silent = aView('b', { modelsKnown: false })
    expect(planRoute(asks('new'), [a, silent], aTable())).toMatchObject({
      problem: { code: 'no_backend', param: 'model', retryAfterMs: 2000 },
    })
  })

  test('is told in a message of bounded length without control characters', () => {
    const route = planRoute(asks(`a\u202e\n\u001b[31m${'x'.repeat(10_000)}`), [b], aTable())
    if (route.ok) throw new Error('expected a refusal')
    expect(route.problem.message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(route.problem.message.length).toBeLessThan(300)
  })

  test('is no_backend where there is none at all', () => {
    expect(planRoute(asks('m'), [], aTable())).toMatchObject({ problem: { code: 'no_backend', retryAfterMs: 5000 } })
  })
})

describe('a request without a model', () => {
  const a = aView('a', { models: ['m'] })

  test('gets the default model', () => {
    expect(plan(asks(null), [a], aTable({ defaultModel: 'm' }))).toEqual(['a/m as peer'])
  })

  test('gets the default model through its alias', () => {
    expect(plan(asks(null), [a], aTable({ defaultModel: 'x', aliases: { x: 'm' } }))).toEqual(['a/m as peer'])
  })

  test('goes to the default backend as it is', () => {
    expect(plan(asks(null), [a], aTable({ defaultBackend: 'a' }))).toEqual(['a/null as peer'])
  })

  test('is refused where neither is set, with what there is', () => {
    expect(planRoute(asks(null), [a], aTable({ aliases: { x: 'm' } }))).toEqual({
      ok: false,
      problem: { code: 'invalid_request', message: 'Name a model. Served here: x, m.', param: 'model' },
    })
  })

  test('is no_backend where there is none at all', () => {
    expect(plan(asks(null), [])).toEqual(['no_backend'])
  })
})

describe('fallbacks', () => {
  test('an engine of ours that serves another model answers with its own', () => {
    const remote = aView('remote', { models: ['gpt-x'], fallbackBackends: ['main'] })
    const main = aView('main', { models: ['qwen3-8b'], soleModel: 'qwen3-8b' })
    expect(plan(asks('gpt-x'), [remote, main])).toEqual(['remote/gpt-x as peer', 'main/qwen3-8b as fallback'])
  })

  const a = aView('a', { models: ['m'], fallbackBackends: ['d', 'c'] })
  const b = aView('b', { models: ['m'] })
  const c = aView('c', { modelMapping: { m: 'm-small' } })
  const d = aView('d')

  test('come after all backends with the model, in the order of their list, and need not list it', () => {
    expect(plan(asks('m'), [a, b, d])).toEqual(['a/m as peer', 'b/m as peer', 'd/m as fallback'])
  })

  test('that map the model are backends that have it, and none is planned twice', () => {
    expect(plan(asks('m'), [a, c, d])).toEqual(['a/m as peer', 'c/m-small as peer', 'd/m as fallback'])
  })

  test('that are not there, being disabled, are passed over', () => {
    expect(plan(asks('m'), [a])).toEqual(['a/m as peer'])
  })
})

describe('a backend that is thought to be down', () => {
  const down = aView('a', { models: ['m'], usable: false, fallbackBackends: ['c'] })

  test('is left out while another can serve', () => {
    expect(plan(asks('m'), [down, aView('b', { models: ['m'] })])).toEqual(['b/m as peer'])
    expect(plan(asks('m'), [down, aView('c')])).toEqual(['c/m as fallback'])
  })

  test('is tried all the same when it is the last', () => {
    expect(plan(asks('m'), [down])).toEqual(['a/m as peer'])
  })

  test('is tried in the usual order when all are', () => {
    expect(plan(asks('m'), [down, aView('c', { usable: false })])).toEqual(['a/m as peer', 'c/m as fallback'])
  })
})

describe('a task', () => {
  const small = aView('a', { models: ['small'] })
  const main = aView('b', { models: ['main'] })
  const table = aTable({ tasks: { summary: { primary: 's', fallback: ['main'] } }, aliases: { s: 'small' } })

  test('chooses its models instead of the one that was named', () => {
    expect(plan(asks('main', 'summary'), [small, main], table)).toEqual(['a/small as peer', 'b/main as fallback'])
  })

  test('goes on to the next model where no backend has the first', () => {
    expect(plan(asks(null, 'summary'), [main], table)).toEqual(['b/main as peer'])
  })

  test('that is unknown is refused with the nearest names', () => {
    expect(planRoute(asks('main', 'sumary'), [main], table)).toEqual({
      ok: false,
      problem: {
        code: 'invalid_request',
        message: "Unknown task 'sumary'. Did you mean summary?",
        param: 'x-lexora-task',
      },
    })
  })
})

describe('laws, over any set of backends', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const model = fc.constantFrom('m', 'n', 'o')
  const views = fc.uniqueArray(
    fc.record({
      name,
      models: fc.uniqueArray(model),
      modelMapping: fc.dictionary(model, fc.constantFrom('x', 'y')),
      fallbackBackends: fc.array(name, { maxLength: 6 }),
      usable: fc.boolean(),
      inFlight: fc.nat(3),
    }),
    { selector: (view) => view.name },
  )
  const tables = fc.record({
    aliases: fc.dictionary(fc.constantFrom('alias', 'm'), model),
    tasks: fc.dictionary(fc.constantFrom('task'), fc.record({ primary: model, fallback: fc.array(model) })),
    defaultBackend: fc.option(name),
    defaultModel: fc.option(model),
  })
  const asked = fc.record({
    model: fc.option(fc.constantFrom('m', 'n', 'alias', 'unknown')),
    task: fc.option(fc.constantFrom('task', 'unknown'), { freq: 4 }),
  })

  test('each backend is planned at most once, and none that is down while another can serve', () => {
    fc.assert(
      fc.property(asked, views, tables, (request, given, table) => {
        const backends = given.map(({ name, ...view }) => aView(name, view))
        const route = planRoute(asking(request), backends, aTable(table))
        if (!route.ok) return
        const planned = route.candidates.map(({ backend }) => backends.find((view) => view.name === backend))
        expect(new Set(planned).size).toBe(planned.length)
        expect(planned).not.toContain(undefined)
        const usable = planned.map((view) => view?.usable)
        expect(usable.every((is) => is === usable[0])).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('equal input gives an equal plan and is left as it was', () => {
    fc.assert(
      fc.property(asked, views, tables, (request, given, table) => {
        const make = () => ({ backends: given.map(({ name, ...view }) => aView(name, view)), table: aTable(table) })
        const used = make()
        const first = planRoute(asking(request), used.backends, used.table)
        expect(planRoute(asking(request), used.backends, used.table)).toEqual(first)
        expect(used).toEqual(make())
      }),
    )
  })
})

describe('an alias with weights', () => {
  const backends = [aView('a', { models: ['m', 'n'] })]
  const table = aTable({
    aliases: {
      chat: [
        { model: 'm', weight: 9 },
        { model: 'n', weight: 1 },
      ],
    },
  })
  const modelFor = (unit: string): string => {
    const route = planRoute(asking({ model: 'chat', unit }), backends, table)
    return route.ok ? route.model : route.problem.code
  }

  test('splits its callers by them', () => {
    const counts = { m: 0, n: 0 }
    for (let i = 0; i < 10_000; i++) counts[modelFor(`user ${i}`) as 'm' | 'n']++
    expect(counts.n / 10_000).toBeGreaterThan(0.09)
    expect(counts.n / 10_000).toBeLessThan(0.11)
  })

  test('keeps each of them at one model', () => {
    for (let i = 0; i < 100; i++) expect(modelFor(`user ${i}`)).toBe(modelFor(`user ${i}`))
  })
})

describe('a remote backend', () => {
  const own = aView('own', { models: ['m'], fallbackBackends: ['cloud'] })
  const cloud = aView('cloud', { models: ['big'], modelMapping: { m: 'm-cloud' }, remote: true })

  test('is nothing to a user who may not send there', () => {
    expect(plan(asks('m'), [own, cloud])).toEqual(['own/m as peer'])
    expect(plan(asks('big'), [own, cloud])).toEqual(['permission_denied'])
  })

  test('serves a user who may', () => {
    const allowed = (model: string): Asked => asking({ model, allowRemote: true })
    expect(plan(allowed('m'), [own, cloud])).toEqual(['own/m as peer', 'cloud/m-cloud as peer'])
    expect(plan(allowed('big'), [own, cloud])).toEqual(['cloud/big as peer'])
  })

  test('rests for everybody once its tokens of the day are used up', () => {
    const spent = { ...cloud, spent: true }
    expect(plan(asking({ model: 'm', allowRemote: true }), [own, spent])).toEqual(['own/m as peer'])
    expect(plan(asking({ model: 'big', allowRemote: true }), [own, spent])).toEqual(['overloaded'])
  })
})
