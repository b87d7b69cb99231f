import type { ComponentType } from 'react'
import type { IconName } from './components/Icon.tsx'
import type { MessageKey } from './i18n/index.ts'
import { later } from './later.tsx'
import type { ScreenProps } from './route.ts'
import { Dashboard } from './views/Dashboard.tsx'

const Models = later(async () => (await import('./views/Models.tsx')).Models)
const Users = later(async () => (await import('./views/Users.tsx')).Users)
const Requests = later(async () => (await import('./views/Requests.tsx')).Requests)
const Settings = later(async () => (await import('./views/Settings.tsx')).Settings)

export type Screen = { id: string; icon: IconName; title: MessageKey; View: ComponentType<ScreenProps> }

/** The screens in the order of the navigation and of Ctrl+1…5. A new screen is one row here and one file in views. */
export const SCREENS: readonly Screen[] = [
  { id: 'dashboard', icon: 'dashboard', title: 'nav.dashboard', View: Dashboard },
  { id: 'models', icon: 'models', title: 'nav.models', View: Models },
  { id: 'users', icon: 'users', title: 'nav.users', View: Users },
  { id: 'requests', icon: 'requests', title: 'nav.requests', View: Requests },
  { id: 'settings', icon: 'settings', title: 'nav.settings', View: Settings },
]
