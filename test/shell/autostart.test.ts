import { expect, test } from 'vitest'
import { type AutostartPlan, autostartEntry, loginItemFound, planAutostart } from '../../src/shell/autostart-entry.ts'

const ENTRY = autostartEntry(['/usr/bin/lexora', '--hidden'])

test.each<[what: string, facts: Parameters<typeof planAutostart>[0], plan: AutostartPlan['do']]>([
  ['never wanted', { wanted: false, written: false, found: null }, 'nothing'],
  ['never wanted, but somebody made one', { wanted: false, written: false, found: ENTRY }, 'nothing'],
  ['wanted for the first time', { wanted: true, written: false, found: null }, 'write'],
  ['wanted, and there', { wanted: true, written: true, found: ENTRY }, 'write'],
  ['wanted, and moved', { wanted: true, written: true, found: 'Exec=/tmp/.mount/lexora' }, 'write'],
  ['taken away by hand', { wanted: true, written: true, found: null }, 'forget'],
  ['switched off by the desktop', { wanted: true, written: true, found: `${ENTRY}Hidden=true\n` }, 'forget'],
  [
    'switched off by GNOME',
    { wanted: true, written: true, found: ENTRY.replace('enabled=true', 'enabled=false') },
    'forget',
  ],
  ['not wanted any more', { wanted: false, written: true, found: ENTRY }, 'remove'],
])('%s', (_, facts, plan) => {
  expect(planAutostart(facts).do).toBe(plan)
})

test.each<[program: string[], line: string]>([
  [['/usr/bin/lexora', '--hidden'], 'Exec=/usr/bin/lexora --hidden'],
  [['/home/a b/Lexora.AppImage'], 'Exec="/home/a b/Lexora.AppImage"'],
  [['/opt/100%/lexora'], 'Exec=/opt/100%%/lexora'],
  [['/opt/$HOME/"x"'], 'Exec="/opt/\\\\$HOME/\\\\"x\\\\""'],
])('%j is written so that a desktop runs it', (program, line) => {
  expect(autostartEntry(program).split('\n')).toContain(line)
})

test.each<[what: string, item: Parameters<typeof loginItemFound>[0], plan: AutostartPlan['do']]>([
  ['there', { openAtLogin: true }, 'write'],
  ['there, and on', { openAtLogin: true, executableWillLaunchAtLogin: true }, 'write'],
  ['taken away by hand', { openAtLogin: false }, 'forget'],
  ['switched off in the settings of Windows', { openAtLogin: true, executableWillLaunchAtLogin: false }, 'forget'],
])('where a list is kept in place of files: %s', (_, item, plan) => {
  expect(planAutostart({ wanted: true, written: true, found: loginItemFound(item) }).do).toBe(plan)
  expect(planAutostart({ wanted: true, written: false, found: loginItemFound(item) }).do).toBe('write')
})
