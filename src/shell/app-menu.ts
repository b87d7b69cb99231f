import { Menu } from 'electron'
import { macMenu } from './mac-menu.ts'
import type { Say } from './words.ts'

/** Electron's own menu has the developer's tools and a reload. A Mac needs one for its copy, paste and quit; nobody else does. */
export function setAppMenu(platform: NodeJS.Platform, say: Say): void {
  Menu.setApplicationMenu(platform === 'darwin' ? Menu.buildFromTemplate(macMenu(say)) : null)
}
