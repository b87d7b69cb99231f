import { Toast } from '@base-ui/react/toast'
import { useMemo } from 'react'
import { Spinner } from './components/Icon.tsx'
import { useLate } from './components/kit.tsx'
import { Whole } from './components/Whole.tsx'
import { TranslateContext, translator, useT } from './i18n/index.ts'
import { preferences } from './preferences.ts'
import { useStore } from './store.ts'
import { type World, WorldContext } from './stores.ts'
import { Frame } from './views/Frame.tsx'
import { Login } from './views/Login.tsx'
import { ToastList } from './views/ToastList.tsx'

/** The whole window around one world. */
export function App({ world }: { world: World }) {
  const { language } = useStore(preferences)
  const t = useMemo(() => translator(language), [language])
  return (
    <TranslateContext.Provider value={t}>
      <WorldContext.Provider value={world}>
        <Toast.Provider limit={3}>
          <Whole>
            <Door world={world} />
          </Whole>
          <ToastList />
        </Toast.Provider>
      </WorldContext.Provider>
    </TranslateContext.Provider>
  )
}

/** The login, a moment of waiting, or the window itself. */
function Door({ world }: { world: World }) {
  const link = useStore(world.link)
  const snapshot = useStore(world.snapshot)
  if (link.is === 'signed-out') return <Login link={link} />
  if (snapshot === null) return <Connecting />
  return <Frame />
}

function Connecting() {
  const t = useT()
  const late = useLate(300)
  return (
    <main className="door">
      <h1 className="sr">Lexora</h1>
      {late && (
        <p className="row mid" role="status">
          <Spinner /> {t('link.connecting')}
        </p>
      )}
    </main>
  )
}
