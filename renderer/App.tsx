import { Toast } from '@base-ui/react/toast'
import { Component, type ReactNode, useMemo } from 'react'
import { Button, Empty } from './components/kit.tsx'
import { Spinner } from './components/Icon.tsx'
import { useLate } from './components/kit.tsx'
import { TranslateContext, translator, useT } from './i18n/index.ts'
import { preferences } from './preferences.ts'
import { useStore, type World, WorldContext } from './stores.ts'
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

type Caught = { error: Error | null }

/** A screen that cannot be drawn says so, and the rest of the window goes on. */
export class Whole extends Component<{ children: ReactNode }, Caught> {
  override state: Caught = { error: null }

  static getDerivedStateFromError(error: Error): Caught {
    return { error }
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <Broken error={this.state.error} />
  }
}

function Broken({ error }: { error: Error }) {
  const t = useT()
  return (
    <Empty
      bad
      title={t('error.screen')}
      actions={<Button onClick={() => location.reload()}>{t('error.reload')}</Button>}
    >
      {t('error.screenWhy', { reason: error.message })}
    </Empty>
  )
}
