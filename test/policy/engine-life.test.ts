/** Any order of commands and of news: the machine against a small world in which processes live and die. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type EngineCommand,
  type EngineEffect,
  type EngineNews,
  INITIAL_ENGINE,
  reduceEngine,
} from '../../src/policy/engine-state-machine.ts'
import { aFailure } from '../engine/given.ts'

const holder = { port: 8000, pid: null, program: null, models: null }
const COMMANDS: EngineCommand[] = [
  { type: 'start', by: 'operator' },
  { type: 'start', by: 'demand' },
  { type: 'stop', held: false },
  { type: 'stop', held: true },
  { type: 'restart' },
  { type: 'reconfigured' },
  { type: 'adopt' },
  { type: 'clear' },
]

/** What happens next: a command, an answer to an effect that is under way, or something nobody asked for. */
type Happening = { is: 'command'; which: number } | { is: 'answer' | 'news'; which: number; how: number }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ is: fc.constant('command' as const), which: fc.nat(COMMANDS.length - 1) }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('answer' as const), which: fc.nat(9), how: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('news' as const), which: fc.nat(9), how: fc.nat(9) }) },
)

/** The owner and the operating system in few lines: who lives, and which effects are not answered yet. */
class World {
  machine = INITIAL_ENGINE
  now = 0
  readonly alive = new Set<number>()
  readonly pending: EngineEffect[] = []
  mostAlive = 0
  spawns = 0

  tell(event: EngineCommand | EngineNews): void {
    this.now += 700
    const [after, effects] = reduceEngine(this.machine, event)
    this.machine = after
    for (const effect of effects) this.perform(effect)
  }

  private perform(effect: EngineEffect): void {
    if (effect.do === 'spawn' || effect.do === 'join') {
      this.spawns++
      this.alive.add(effect.run)
      this.mostAlive = Math.max(this.mostAlive, this.alive.size)
    }
    this.pending.push(effect)
  }

  happens(it: Happening): void {
    if (it.is === 'command') return this.tell(COMMANDS[it.which]!)
    if (it.is === 'news') return this.tell(this.unasked(it.which, it.how))
    if (this.pending.length === 0) return
    const [effect] = this.pending.splice(it.which % this.pending.length, 1)
    this.answer(effect!, it.how)
  }

  answer(effect: EngineEffect, how: number): void {
    const { run } = effect
    const at = this.now
    switch (effect.do) {
      case 'preflight':
        if (how < 7) return this.tell({ run, type: 'preflight-passed' })
        if (how === 7) return this.tell({ run, type: 'preflight-failed', at, found: { as: 'foreign', holder } })
        return this.tell({
          run,
          type: 'preflight-failed',
          at,
          found: { as: 'failed', failure: aFailure({ canHeal: how === 8 }) },
        })
      case 'spawn':
      case 'join':
        if (how < 7) return this.tell({ run, type: 'ready', at })
        this.alive.delete(run)
        return this.tell({ run, type: 'exited', at, failure: aFailure({ canHeal: how < 9 }) })
      case 'end': {
        const stays = how === 9 && this.alive.has(run)
        if (!stays) this.alive.delete(run)
        return this.tell({ run, type: 'gone', left: stays ? aFailure({ class: 'not_ended' }) : null })
      }
      case 'drain':
        return this.tell({ run, type: 'drained' })
      case 'sleep':
        return this.tell({ run, type: 'slept' })
      case 'wake':
        return how < 8 ? this.tell({ run, type: 'woke' }) : this.tell({ run, type: 'lost', at, failure: aFailure() })
      case 'wake-at':
        return this.tell({ run, type: 'due' })
    }
  }

  /** News of this run or, often, of one long over. */
  private unasked(which: number, how: number): EngineNews {
    const run = Math.max(0, this.machine.run - (how > 5 ? how - 5 : 0))
    const at = this.now
    if (which === 0) return { run, type: 'idle', sleep: how % 2 === 0 }
    if (which === 1) return { run, type: 'suspect', reason: 'no tokens' }
    if (which === 2) return { run, type: 'recovered' }
    if (which === 3) return { run, type: 'lost', at, failure: aFailure({ class: 'hang' }) }
    if (which === 4) return { run, type: 'load', busy: how % 2 === 0 }
    if (which === 5) return { run, type: 'progress', phase: 'weights', percent: how * 10 }
    if (which === 6 && this.machine.run !== run) return { run, type: 'gone', left: null }
    if (which === 7) return { run, type: 'drained' }
    if (which === 8) return { run, type: 'slept' }
    this.alive.delete(run)
    return { run, type: 'exited', at, failure: aFailure({ canHeal: how !== 3 }) }
  }

  /** Everything that is under way comes to an end. */
  settle(): void {
    for (let steps = 0; this.pending.length > 0; steps++) {
      if (steps > 1000) throw new Error('it never comes to rest')
      this.answer(this.pending.shift()!, 0)
    }
  }
}

const RUNS = { numRuns: 10_000 }

describe('any order of commands and news', () => {
  const worlds = fc.array(happening, { maxLength: 60 }).map((events) => {
    const world = new World()
    for (const event of events) world.happens(event)
    return world
  })

  test('never has two engines alive', () => {
    fc.assert(
      fc.property(worlds, ({ mostAlive }) => mostAlive <= 1),
      RUNS,
    )
  })

  test('ends in rest: something runs only where the state says so', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        world.settle()
        const { at } = world.machine
        const serves = ['ready', 'busy', 'degraded', 'sleeping'].includes(at.is)
        // What could not be ended may have ended since.
        const mayLive = at.is === 'failed' && at.left ? [0, 1] : serves ? [1] : [0]
        expect(mayLive, at.is).toContain(world.alive.size)
      }),
      RUNS,
    )
  })

  test('can always be stopped, and started again', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        world.settle()
        world.tell({ type: 'start', by: 'operator' })
        world.settle()
        world.tell({ type: 'stop', held: false })
        world.settle()
        expect([world.machine.at.is, world.alive.size]).toEqual(['stopped', 0])
        world.tell({ type: 'start', by: 'demand' })
        world.settle()
        expect([world.machine.at.is, world.alive.size]).toEqual(['ready', 1])
      }),
      RUNS,
    )
  })

  test('the last of a stop and a start wins, however they fall', () => {
    const start: EngineCommand = { type: 'start', by: 'operator' }
    const stop: EngineCommand = { type: 'stop', held: false }
    fc.assert(
      fc.property(worlds, fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), (world, starts) => {
        for (const isStart of starts) world.tell(isStart ? start : stop)
        world.settle()
        const { at } = world.machine
        if (starts.at(-1)) expect(['ready', 'busy', 'degraded']).toContain(at.is)
        else expect(at.is === 'stopped' || (at.is === 'failed' && at.left)).toBe(true)
      }),
      RUNS,
    )
  })
})
