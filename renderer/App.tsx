import { CSPProvider } from '@base-ui/react/csp-provider'
import { Toast } from '@base-ui/react/toast'
import { useEffect, useMemo, useState } from 'react'
import { interpreter } from '../src/protocol/sentence.ts'
import { Spinner } from './components/Icon.tsx'
import { useLate } from './components/kit.tsx'
import { Whole } from './components/Whole.tsx'
import { firstRun } from './first-run-store.ts'
import { loadTranslator, type Translate, TranslateContext, useT, withSaid } from './i18n/index.ts'
import { later } from './later.tsx'
import { preferences } from './preferences.ts'
import { goTo, route } from './route.ts'
import { useStore } from './store.ts'
import { type World, WorldContext } from './stores.ts'
import { showsItself } from './view-models/first-run.ts'
import { Frame } from './views/Frame.tsx'
import { Login } from './views/Login.tsx'
import { ToastList } from './views/ToastList.tsx'

const FirstRun = later(async () => (await import('./views/FirstRun.tsx')).FirstRun)

/** The whole window around one world. */
export function App({ world, words }: { world: World; words: Translate }) {
  const t = useSaid(world, useWords(words))
  return (
    <TranslateContext.Provider value={t}>
      <WorldContext.Provider value={world}>
        {/* The page's policy allows no style of its own in it, and its lists need none. */}
        <CSPProvider disableStyleElements>
          <Toast.Provider limit={1}>
            <Whole>
              <Door world={world} />
            </Whole>
            <ToastList />
          </Toast.Provider>
        </CSPProvider>
      </WorldContext.Provider>
    </TranslateContext.Provider>
  )
}

/** The sentences of the chosen language. Until those of another one are here, the old ones stand. */
function useWords(first: Translate): Translate {
  const { language } = useStore(preferences)
  const [t, setT] = useState<Translate>(() => first)
  useEffect(() => {
    let open = true
    void loadTranslator(language).then(
      (next) => open && setT((before: Translate) => (before.language === next.language ? before : next)),
    )
    return () => {
      open = false
    }
  }, [language])
  return t
}

/** And what the core says in it: the Lexora that answers has its own sentences, and a window may meet another one. */
function useSaid({ client, link }: World, t: Translate): Translate {
  const { language } = t
  const isLive = useStore(link).is === 'live'
  const [heard, setHeard] = useState<{ language: string; said: Translate['said'] } | null>(null)
  useEffect(() => {
    if (!isLive || language === 'en') return
    let open = true
    void client.commands.sentences({ language }).then(
      ({ sentences }) => open && setHeard({ language, said: interpreter(sentences) }),
      // An older one has none: it is read in English.
      () => undefined,
    )
    return () => {
      open = false
    }
  }, [client, isLive, language])
  return useMemo(() => (heard?.language === language ? withSaid(t, heard.said) : t), [heard, language, t])
}

/** The login, a moment of waiting, the first run, or the window itself. */
function Door({ world }: { world: World }) {
  const link = useStore(world.link)
  const snapshot = useStore(world.snapshot)
  const { screen } = useStore(route)
  const first = useStore(firstRun)
  const begins =
    screen === '' && snapshot !== null && showsItself(first, snapshot, world.client.platform?.attached === true)
  // It has an address of its own, so that it stays while it changes what it was shown for.
  useEffect(() => {
    if (begins) goTo('first-run')
  }, [begins])
  if (link.is === 'signed-out') return <Login link={link} />
  if (snapshot === null || begins) return <Connecting />
  if (screen === 'first-run') return <FirstRun />
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
