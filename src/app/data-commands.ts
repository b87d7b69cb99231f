import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { LexoraPaths } from '../config/paths.ts'
import { repositoryFolder } from '../models/catalogue.ts'
import { type AppCommands, refusal } from '../protocol/commands.ts'
import {
  CLEARABLE,
  type ClearablePlace,
  type ClearReport,
  type DATA_COMMANDS,
  type DataPlace,
  type DataPlaceView,
} from '../protocol/data.ts'
import type { History } from '../store/history.ts'
import { type FoundFile, sizeOf, walk } from './disk-use.ts'

export type DataParts = {
  /** Null: nothing of it lies on a disk. */
  data: DataDesk | null
}

export type DataDesk = {
  paths: Pick<LexoraPaths, 'stateDir' | 'logDir'>
  /** Installed versions of vLLM. */
  versions: string
  hubCache: string
  /** Null: none is kept. */
  history: History | null
  /** Repositories that are on their way here. */
  pulling: () => string[]
  now: () => number
}

/** Another program that fetches writes more often. */
const QUIET_MS = 120_000

export function dataCommands({ data }: DataParts): Pick<AppCommands, keyof typeof DATA_COMMANDS> {
  const desk = (): DataDesk => {
    if (data === null) throw refusal('not_found', 'This Lexora keeps nothing on the disk.', null)
    return data
  }
  let reading: Promise<DataPlaceView[]> | null = null
  /** Who asks while it is being measured waits for the same. */
  const read = async (): Promise<DataPlaceView[]> => {
    reading ??= measure(desk()).finally(() => {
      reading = null
    })
    return await reading
  }
  return {
    readData: async () => ({ places: await read() }),
    clearData: async ({ place }) => {
      if (!CLEARABLE.includes(place as ClearablePlace))
        throw refusal('invalid_request', `place: must be ${CLEARABLE.join(', ')}.`, 'place')
      return await CLEAR[place as ClearablePlace](desk())
    },
  }
}

const CLEAR: Record<ClearablePlace, (desk: DataDesk) => Promise<ClearReport>> = {
  history: clearHistory,
  logs: clearLogs,
  partial: clearPartial,
}

/** One after another: the disk is one. */
async function measure(desk: DataDesk): Promise<DataPlaceView[]> {
  const { paths, versions, hubCache, history } = desk
  const ownHistory = history === null ? [] : historyFiles(history)
  const others = [paths.logDir, versions, hubCache, ...ownHistory]
  const views: DataPlaceView[] = []
  const add = async (place: DataPlace, path: string, files: string[], canClear: boolean, skip: string[] = []) => {
    views.push({ place, path, canClear, ...(await sizeOf(files, { skip })) })
  }
  await add('state', paths.stateDir, [paths.stateDir], false, others)
  if (history !== null) await add('history', history.path, ownHistory, true)
  await add('logs', paths.logDir, [paths.logDir], true)
  await add('engines', versions, [versions], false)
  await add('models', hubCache, [hubCache], false)
  const partial = { bytes: 0, files: 0 }
  const whole = await eachPartial(desk, ({ bytes }) => {
    partial.bytes += bytes
    partial.files++
  })
  views.push({ place: 'partial', path: hubCache, canClear: true, ...partial, whole })
  return views
}

function historyFiles({ path }: History): string[] {
  return [path, `${path}-wal`, `${path}-shm`]
}

async function clearHistory({ history }: DataDesk): Promise<ClearReport> {
  if (history === null) throw refusal('not_found', 'No history is kept.', 'place')
  const before = await sizeOf(historyFiles(history))
  await history.clear()
  const after = await sizeOf(historyFiles(history))
  return { place: 'history', files: 0, freedBytes: Math.max(0, before.bytes - after.bytes) }
}

/** What is still written to stays: today's request log, and the first file of each other log. */
async function clearLogs({ paths, now }: DataDesk): Promise<ClearReport> {
  const today = new Date(now()).toISOString().slice(0, 10).replaceAll('-', '')
  const isOld = (name: string): boolean => {
    const [, day] = /^requests-(\d{8})(?:\.\d+)?\.jsonl$/.exec(name) ?? []
    return day === undefined ? /\.log\.\d+$/.test(name) : day < today
  }
  const files: FoundFile[] = []
  await walk([paths.logDir], (file) => void (isOld(basename(file.path)) && files.push(file)))
  return { place: 'logs', ...(await removed(files)) }
}

async function clearPartial(desk: DataDesk): Promise<ClearReport> {
  const files: FoundFile[] = []
  await eachPartial(desk, (file) => void (desk.now() - file.modifiedMs > QUIET_MS && files.push(file)))
  return { place: 'partial', ...(await removed(files)) }
}

/** Of repositories that nobody is fetching now. */
async function eachPartial({ hubCache, pulling }: DataDesk, onFile: (file: FoundFile) => void): Promise<boolean> {
  const skip = pulling().map((repo) => join(hubCache, repositoryFolder(repo)))
  return await walk([hubCache], (file) => void (file.path.endsWith('.incomplete') && onFile(file)), { skip })
}

async function removed(files: readonly FoundFile[]): Promise<{ files: number; freedBytes: number }> {
  const sum = { files: 0, freedBytes: 0 }
  for (const { path, bytes } of files) {
    const isGone = await rm(path).then(
      () => true,
      () => false,
    )
    if (!isGone) continue
    sum.files++
    sum.freedBytes += bytes
  }
  return sum
}
