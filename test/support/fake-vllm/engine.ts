import type { Settings } from './options.ts'

/** A place in the batch. `leave` may be called more than once. */
type Place = { entered: Promise<void>; leave: () => void }

export type Engine = ReturnType<typeof createEngine>

/** The batch and its queue: first come, first served, as many sequences at a time as maxNumSeqs says. */
export function createEngine(settings: Settings, onChange: () => void) {
  type Member = { sequences: number; running: boolean; enter: () => void }
  const members = new Set<Member>()
  /** A sleep of level 2 threw the weights away. */
  let garbled = false
  let held: 'no' | 'sleep-1' | 'sleep-2' | 'pause' = 'no'

  const count = (running: boolean) =>
    [...members].filter((member) => member.running === running).reduce((sum, member) => sum + member.sequences, 0)

  function place(sequences: number): Place {
    const { promise, resolve } = Promise.withResolvers<void>()
    const member: Member = { sequences, running: false, enter: resolve }
    members.add(member)
    schedule()
    onChange()
    return { entered: promise, leave: () => leave(member) }
  }

  function leave(member: Member): void {
    if (!members.delete(member)) return
    schedule()
    onChange()
  }

  function schedule(): void {
    if (held !== 'no') return
    let running = count(true)
    for (const member of members) {
      if (member.running) continue
      if (running > 0 && running + member.sequences > settings.maxNumSeqs) return
      running += member.sequences
      member.running = true
      member.enter()
    }
  }

  function hold(how: typeof held): void {
    held = how
    schedule()
    onChange()
  }

  return {
    place,
    running: () => count(true),
    waiting: () => count(false),
    load: () => members.size,
    full: (sequences: number) =>
      settings.maxQueued !== null && count(true) + count(false) + sequences > settings.maxQueued,
    sleep: (level: number) => {
      garbled ||= level === 2
      hold(level === 2 ? 'sleep-2' : 'sleep-1')
    },
    reload: () => {
      garbled = false
    },
    garbled: () => garbled,
    pause: () => hold('pause'),
    resume: () => hold('no'),
    sleeping: () => (held === 'sleep-1' ? 1 : held === 'sleep-2' ? 2 : 0),
    paused: () => held === 'pause',
  }
}
