import { type IpcMainInvokeEvent, ipcMain, type WebContents } from 'electron'
import { COMMANDS, CommandError, type CommandName } from '../protocol/commands.ts'
import type { DesktopVerb, DesktopView } from '../protocol/desktop.ts'
import { problem } from '../protocol/errors.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import type { CallResult, DataNews } from '../protocol/window.ts'
import { CHANNELS, callShape, idShape, sendShape, verbShape } from './channels.ts'
import type { Core } from './core.ts'
import { sendData } from './data-request.ts'
import { isOurPage } from './ui-scheme.ts'

export type IpcParts = {
  /** Null while there is none. */
  core: () => Core | null
  /** The window that may speak; null: none is open. */
  contents: () => WebContents | null
  /** The window asks for a command. */
  onCall: (name: CommandName, result: Promise<CallResult>) => void
  /** Somebody watches from now on: tells what is known. */
  onWatch: () => void
  desktop: {
    read: () => Promise<DesktopView>
    change: (change: unknown) => Promise<{ ok: true; view: DesktopView } | { ok: false; message: string }>
    do: (verb: DesktopVerb) => void
  }
}

/** The window's door to the core: who asks is checked, then what he asks; the core checks it once more. */
export function serveWindow(parts: IpcParts): void {
  const running = new Map<number, AbortController>()
  const on = (channel: string, work: (given: unknown) => unknown): void => {
    ipcMain.handle(channel, (event, given: unknown) => {
      if (!isTrusted(event, parts.contents())) throw new Error('This page may not ask.')
      return work(given)
    })
  }
  const tell = (id: number, news: DataNews): void => {
    const contents = parts.contents()
    if (contents !== null && !contents.isDestroyed()) contents.send(CHANNELS.news, { id, news })
  }
  on(CHANNELS.call, async (given) => await call(parts, given))
  on(CHANNELS.watch, () => parts.onWatch())
  on(CHANNELS.send, async (given) => {
    const { id, request } = sendShape.parse(given)
    const core = parts.core()
    if (core === null) return tell(id, { is: 'failed', reason: 'Lexora does not run.' })
    const ended = new AbortController()
    running.set(id, ended)
    const place = await core.place()
    void sendData(request, place, (news) => tell(id, news), ended.signal).finally(() => running.delete(id))
  })
  on(CHANNELS.cancel, (given) => running.get(idShape.parse(given))?.abort())
  on(CHANNELS.desktopRead, async () => await parts.desktop.read())
  on(CHANNELS.desktopChange, async (given) => await parts.desktop.change(given))
  on(CHANNELS.desktopDo, (given) => parts.desktop.do(verbShape.parse(given)))
}

/** Only our page, in the top frame of our window. */
function isTrusted({ sender, senderFrame }: IpcMainInvokeEvent, contents: WebContents | null): boolean {
  return contents !== null && sender === contents && senderFrame === sender.mainFrame && isOurPage(senderFrame?.url)
}

async function call({ core: find, onCall }: IpcParts, given: unknown): Promise<CallResult> {
  const parsed = callShape.safeParse(given)
  if (!parsed.success || !Object.hasOwn(COMMANDS, parsed.data.name))
    return { ok: false, problem: problem('not_found', 'There is no such command.') }
  const core = find()
  if (core === null) return { ok: false, problem: problem('shutting_down', 'Lexora does not run.') }
  const { name, args } = parsed.data
  const result = run(core, name as CommandName, args)
  onCall(name as CommandName, result)
  return await result
}

async function run(core: Core, name: CommandName, args: unknown): Promise<CallResult> {
  try {
    const command = core.commands[name] as (args: unknown) => Promise<unknown>
    return { ok: true, result: await command(args) }
  } catch (error) {
    if (error instanceof CommandError) return { ok: false, problem: error.problem }
    return { ok: false, problem: problem('overloaded', (error as Error).message) }
  }
}

export function tellDesktop(contents: WebContents, view: DesktopView): void {
  contents.send(CHANNELS.desktopTold, view)
}

export function tellSnapshot(contents: WebContents, snapshot: AppSnapshot | null): void {
  contents.send(CHANNELS.snapshot, snapshot)
}
