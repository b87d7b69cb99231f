import './styles/tokens.css'
import './styles/components.css'
import './styles/window.css'
import './styles/manage.css'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { loadTranslator } from './i18n/index.ts'
import { connect } from './lexora.ts'
import { applyLook, preferences, speakAlike } from './preferences.ts'
import { openWorld } from './stores.ts'

applyLook(preferences.get())
const client = connect()
const { world, close } = openWorld(client)
speakAlike((language) => void client.desktop?.change({ language }))
addEventListener('pagehide', close)
const words = await loadTranslator(preferences.get().language)
createRoot(document.getElementById('root')!).render(<App world={world} words={words} />)
