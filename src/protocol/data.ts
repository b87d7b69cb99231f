import { z } from 'zod'
import { row } from './command-row.ts'
import { say } from './sentence.ts'

/** What Lexora keeps on the disk. `partial`: what downloads that did not end have fetched. `state`: users, keys and the rest. */
export const DATA_PLACES = ['state', 'history', 'logs', 'engines', 'models', 'partial'] as const
export type DataPlace = (typeof DATA_PLACES)[number]

/** Those whose loss costs nobody more than the look back, or a second download. */
export const CLEARABLE = ['history', 'logs', 'partial'] as const
export type ClearablePlace = (typeof CLEARABLE)[number]

export type DataPlaceView = {
  place: DataPlace
  path: string
  bytes: number
  files: number
  /** False: there is more than was counted in time. */
  whole: boolean
  canClear: boolean
}

export type ClearReport = { place: ClearablePlace; files: number; freedBytes: number }

export const DATA_COMMANDS = {
  readData: row<{ places: DataPlaceView[] }>()({
    method: 'GET',
    path: '/admin/data',
    cli: ['data'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'what Lexora keeps on the disk, where, and how large it is',
    answersWithinMs: 120_000,
  }),
  clearData: row<ClearReport>()({
    method: 'POST',
    path: '/admin/data/clear',
    cli: ['data', 'clear'],
    places: ['place'],
    scope: 'admin:write',
    args: z.strictObject({ place: z.string(say('is missing')).max(32, say('is too long')) }),
    about: 'remove ended requests, logs of earlier days, or what downloads that did not end have fetched',
    terminal: ['yes'],
    answersWithinMs: 300_000,
  }),
} as const
