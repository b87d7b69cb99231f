/** `node test/chaos/kills.ts` does the same a thousand times. */
import { expect, test } from 'vitest'
import { killWriters } from '../chaos/kill-writers.ts'
import { aFolder } from '../support/records.ts'

const KILLS = 40

test('forty kills while users, keys and history are written: no file is unreadable, nothing that was told is gone', async () => {
  // The same moments in every run, as far as a scheduler lets them be.
  let state = 20_261_121
  const chance = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const report = await killWriters(aFolder(), KILLS, chance)
  expect(report).toMatchObject({ kills: KILLS, lostUsers: 0, lostKeys: 0, unreadable: 0 })
  expect(report.told).toBeGreaterThan(KILLS)
  expect(report.requests).toBeGreaterThan(0)
}, 120_000)
