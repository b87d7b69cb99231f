import { setTimeout as pause } from 'node:timers/promises'
import type { ModelCommands } from '../app/model-commands.ts'
import { type InstallView, isPullOpen, type PullView } from '../protocol/models.ts'
import { cut } from './format.ts'
import { installLine, installNeeds, pullLine } from './model-printers.ts'

export type Watcher = {
  err: (text: string) => void
  errColumns: () => number | null
  stopped: AbortSignal
  quiet: boolean
}

const LOOK_MS = 300
/** Into a pipe the same is said again after so long, to show that it goes on. */
const AGAIN_MS = 10_000

/** A pull until its end, or until `stopped`; the last that was seen of it. */
export async function followPull(commands: Pick<ModelCommands, 'listPulls'>, first: PullView, watcher: Watcher) {
  const isOver = (view: PullView): boolean => view.state === 'held' || !isPullOpen(view)
  const look = async (): Promise<PullView | undefined> =>
    (await commands.listPulls()).pulls.find(({ id }) => id === first.id)
  return await follow(first, { look, isOver, said: pullLine, stage: ({ state }) => state }, watcher)
}

/** An installation until its end, or until `stopped`. */
export async function followInstall(
  commands: Pick<ModelCommands, 'engineVersions'>,
  first: InstallView,
  watcher: Watcher,
) {
  if (!watcher.quiet) watcher.err(`${installNeeds(first)}\n`)
  const isOver = ({ phase }: InstallView): boolean => phase === 'done' || phase === 'failed'
  const look = async (): Promise<InstallView | undefined> => (await commands.engineVersions()).install ?? undefined
  return await follow(first, { look, isOver, said: installLine, stage: ({ phase }) => phase }, watcher)
}

type Job<View> = {
  look: () => Promise<View | undefined>
  isOver: (view: View) => boolean
  said: (view: View) => string
  /** What is worth a line of its own where lines cannot be redrawn. */
  stage: (view: View) => string
}

async function follow<View>(first: View, { look, isOver, said, stage }: Job<View>, watcher: Watcher): Promise<View> {
  const { err, errColumns, stopped, quiet } = watcher
  let view = first
  let told = ''
  let toldAt = 0
  let isDrawn = false
  const show = (): void => {
    if (quiet) return
    const width = errColumns()
    if (width !== null) {
      err(`\r${cut(said(view), width - 1)}\x1b[K`)
      isDrawn = true
      return
    }
    const now = performance.now()
    if (stage(view) === told && now - toldAt < AGAIN_MS) return
    told = stage(view)
    toldAt = now
    err(`${said(view)}\n`)
  }
  while (!isOver(view) && !stopped.aborted) {
    show()
    await pause(LOOK_MS, undefined, { signal: stopped }).catch(() => undefined)
    view = (await look()) ?? view
  }
  if (isDrawn) err('\r\x1b[K')
  return view
}
