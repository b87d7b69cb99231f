import { Toast } from '@base-ui/react/toast'
import { useMemo } from 'react'
import type { PrimaryVerb } from '../src/protocol/primary-verb.ts'
import { gib } from './format.ts'
import { useT } from './i18n/index.ts'
import { useWorld } from './stores.ts'

export type Toasts = { say: (text: string) => void; fail: (text: string) => void }

/** Short news at the lower right. Failures stay until they are closed. */
export function useToasts(): Toasts {
  const { add } = Toast.useToastManager()
  return useMemo(
    () => ({
      say: (text) => void add({ description: text, timeout: 5000, priority: 'low' }),
      fail: (text) => void add({ description: text, timeout: 0, priority: 'high', type: 'bad' }),
    }),
    [add],
  )
}

/** Copies, and says so; answers whether it worked. */
export function useCopy(): (text: string, done?: string) => Promise<boolean> {
  const toasts = useToasts()
  const t = useT()
  return async (text, done = t('done.copied')) => {
    try {
      await copyText(text)
      toasts.say(done)
      return true
    } catch {
      toasts.fail(t('failed.copy'))
      return false
    }
  }
}

/** Pages that came over plain HTTP from another machine have no clipboard of their own. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  const copied = document.execCommand('copy')
  area.remove()
  if (!copied) throw new Error('copy')
}

/** Saves a text as a file of the person's. */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

/** What the header's buttons, the menus and the palette do. */
export function useActions() {
  const { client } = useWorld()
  const toasts = useToasts()
  const t = useT()
  const { commands } = client
  const told = async (work: Promise<unknown>, done?: string): Promise<boolean> => {
    try {
      await work
      if (done !== undefined) toasts.say(done)
      return true
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said((error as Error).message) }))
      return false
    }
  }
  return {
    told,
    pause: () => told(commands.pause(), t('done.paused')),
    resume: () => told(commands.resume(), t('done.resumed')),
    start: (engine: string) => told(commands.startEngine({ engine }), t('done.started', { engine })),
    stop: (engine: string) => told(commands.stopEngine({ engine }), t('done.stopping', { engine })),
    restart: (engine: string) => told(commands.restartEngine({ engine }), t('done.started', { engine })),
    cancelRequest: (id: string) => told(commands.cancelRequest({ id }), t('done.cancelled', { id })),
    freeGpu: async () => {
      try {
        const { freed } = await commands.freeGpu()
        const bytes = freed.map(({ receipt }) => receipt?.freedBytes ?? null).filter((size) => size !== null)
        const size = bytes.reduce((sum, value) => sum + value, 0)
        if (freed.length === 0) toasts.say(t('done.nothingToFree'))
        else toasts.say(bytes.length === 0 ? t('done.freedUnknown') : t('done.freed', { size: `${gib(size)} GiB` }))
      } catch (error) {
        toasts.fail(t('failed.command', { reason: t.said((error as Error).message) }))
      }
    },
  }
}

export type Actions = ReturnType<typeof useActions>

/** Presses the primary button. `onFix` shows what is wrong, since only a person can mend it. */
export function press(verb: PrimaryVerb, actions: Actions, onFix: () => void): void {
  switch (verb.do) {
    case 'start':
    case 'retry':
      return void actions.start(verb.engine)
    case 'stop':
    case 'force-stop':
    case 'cancel-start':
      return void actions.stop(verb.engine)
    case 'restart':
      return void actions.restart(verb.engine)
    case 'resume':
      return void actions.resume()
    case 'fix':
    case 'install':
      return onFix()
    case 'none':
      return
  }
}
