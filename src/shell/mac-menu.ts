import type { MenuItemConstructorOptions } from 'electron'
import type { Say } from './words.ts'

export function macMenu(say: Say): MenuItemConstructorOptions[] {
  const line: MenuItemConstructorOptions = { type: 'separator' }
  const of = (
    role: 'hide' | 'quit' | 'undo' | 'redo' | 'cut' | 'copy' | 'paste' | 'selectAll' | 'minimize' | 'close',
  ) => ({
    role,
    label: say(`menu.${role}`),
  })
  return [
    { label: 'Lexora', submenu: [of('hide'), line, of('quit')] },
    {
      label: say('menu.edit'),
      submenu: [of('undo'), of('redo'), line, of('cut'), of('copy'), of('paste'), of('selectAll')],
    },
    { label: say('menu.window'), submenu: [of('minimize'), of('close')] },
  ]
}
