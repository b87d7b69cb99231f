import './styles/tokens.css'
import './styles/components.css'
import './styles/window.css'
import './styles/manage.css'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { loadTranslator } from './i18n/index.ts'
import { connect } from './lexora.ts'
import { applyLook, preferences } from './preferences.ts'
import { openWorld } from './stores.ts'

applyLook(preferences.get())
const { world, close } = openWorld(connect())
addEventListener('pagehide', close)
const words = await loadTranslator(preferences.get().language)
createRoot(document.getElementById('root')!).render(<App world={world} words={words} />)
