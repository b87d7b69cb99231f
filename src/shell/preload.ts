import { contextBridge, ipcRenderer } from 'electron'
import { z } from 'zod'
import type { DesktopView } from '../protocol/desktop.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import type { CallResult, DataNews, WindowBridge } from '../protocol/window.ts'
import {
  CHANNELS,
  callResultShape,
  changedShape,
  newsShape,
  PLATFORM_SWITCH,
  platformShape,
  snapshotShape,
  viewShape,
} from './channels.ts'

/** `window.lexora`, and nothing else: no event, no channel and no Node reaches the page. */

// The page's policy forbids code made of text, which zod would try.
z.config({ jitless: true })

const watchers = new Set<(snapshot: AppSnapshot | null) => void>()
const lookers = new Set<(view: DesktopView) => void>()
const hearers = new Map<number, (news: DataNews) => void>()
let lastId = 0
const ASK_AGAIN_MS = 2000

ipcRenderer.on(CHANNELS.snapshot, (_event, told: unknown) => {
  const parsed = snapshotShape.safeParse(told)
  if (!parsed.success) return
  for (const watcher of watchers) watcher(parsed.data as AppSnapshot | null)
})

ipcRenderer.on(CHANNELS.news, (_event, told: unknown) => {
  const parsed = newsShape.safeParse(told)
  if (!parsed.success) return
  const { id, news } = parsed.data
  const hear = hearers.get(id)
  if (news.is === 'end' || news.is === 'failed') hearers.delete(id)
  hear?.(news)
})

ipcRenderer.on(CHANNELS.desktopTold, (_event, told: unknown) => {
  const parsed = viewShape.safeParse(told)
  if (!parsed.success) return
  for (const looker of lookers) looker(parsed.data)
})

const readDesktop = async (): Promise<DesktopView> => viewShape.parse(await ipcRenderer.invoke(CHANNELS.desktopRead))

const given = process.argv.find((word) => word.startsWith(PLATFORM_SWITCH))
const platform = platformShape.safeParse(JSON.parse(given?.slice(PLATFORM_SWITCH.length) ?? 'null'))

const bridge: WindowBridge = {
  call: async (name, args) => {
    const answer = callResultShape.parse(await ipcRenderer.invoke(CHANNELS.call, { name, args }))
    return answer as CallResult
  },
  subscribe: (listener) => {
    const ask = (): void => void ipcRenderer.invoke(CHANNELS.watch).catch(() => {})
    // A page that is told nothing may have asked before anybody knew it.
    const again = setInterval(ask, ASK_AGAIN_MS)
    const own = (snapshot: AppSnapshot | null): void => {
      clearInterval(again)
      listener(snapshot)
    }
    watchers.add(own)
    ask()
    return () => {
      clearInterval(again)
      watchers.delete(own)
    }
  },
  send: (request, listener) => {
    const id = ++lastId
    hearers.set(id, listener)
    ipcRenderer.invoke(CHANNELS.send, { id, request }).catch((error: unknown) => {
      hearers.delete(id)
      listener({ is: 'failed', reason: String((error as Error).message) })
    })
    return () => {
      if (hearers.delete(id)) void ipcRenderer.invoke(CHANNELS.cancel, id)
    }
  },
  platform: platform.success ? platform.data : { os: 'other', attached: false },
  desktop: {
    read: readDesktop,
    watch: (listener) => {
      const own = (view: DesktopView): void => listener(view)
      lookers.add(own)
      // What is told while this is asked is newer than the answer.
      let isTold = false
      const first = (): void => {
        isTold = true
      }
      lookers.add(first)
      void readDesktop()
        .then((view) => {
          if (!isTold && lookers.has(own)) own(view)
        })
        .catch(() => {})
        .finally(() => lookers.delete(first))
      return () => void lookers.delete(own)
    },
    change: async (change) => changedShape.parse(await ipcRenderer.invoke(CHANNELS.desktopChange, change)),
    do: async (verb) => void (await ipcRenderer.invoke(CHANNELS.desktopDo, verb)),
  },
}

contextBridge.exposeInMainWorld('lexora', bridge)
