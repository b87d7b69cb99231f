import { expect, test } from 'vitest'
import { isFullDisk } from '../../src/app/records.ts'

test.each([
  ['ENOSPC', true],
  ['ENOSPC: no space left on device, write', true],
  ['EDQUOT', true],
  ['database or disk is full', true],
  ['EACCES', false],
  ['ENOSPCX', false],
  ['attempt to write a readonly database', false],
  [null, false],
])('that it could not be written for %j: the disk is full? %s', (reason, full) => {
  expect(isFullDisk(reason)).toBe(full)
})
