import { useEffect, useRef, useState } from 'react'
import { press, useActions, useCopy } from '../actions.ts'
import { Icon, Mark } from '../components/Icon.tsx'
import { Banner, Button, Dialog, Menu } from '../components/kit.tsx'
import { Whole } from '../components/Whole.tsx'
import { clock, duration } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { fetchTheRest, later } from '../later.tsx'
import { preferences } from '../preferences.ts'
import { goTo, route } from '../route.ts'
import { SCREENS } from '../screens.tsx'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { tryIt } from '../try-it.ts'
import { useQuit } from '../use-quit.ts'
import { errorsLately } from '../view-models/dashboard.ts'
import { verbWords } from '../view-models/frame.ts'
import { CaptureBanner } from './CaptureBanner.tsx'
import { ConfigBanner } from './ConfigBanner.tsx'
import { NoTrayBanner } from './NoTrayBanner.tsx'
import { Palette } from './Palette.tsx'
import { Readouts } from './Readouts.tsx'
import { SandboxBanner } from './SandboxBanner.tsx'
import { StatusBar } from './StatusBar.tsx'
import { TryIt } from './TryIt.tsx'

// The palette and Try it are not among these: who opens them by a key types at once.
const Diagnostics = later(async () => (await import('./Diagnostics.tsx')).Diagnostics)
const KeyList = later(async () => (await import('./KeyList.tsx')).KeyList)

type Overlay = 'palette' | 'keys' | 'diagnostics' | 'free-gpu' | null

/** Navigation, header, status bar, and one screen between them. */
export function Frame() {
  const t = useT()
  const { link: linkStore, series, desktop } = useWorld()
  const link = useStore(linkStore)
  const { screen, path } = useStore(route)
  const { theme, density } = useStore(preferences)
  const [overlay, setOverlay] = useState<Overlay>(null)
  const trying = useStore(tryIt)
  const current = SCREENS.find(({ id }) => id === screen) ?? SCREENS[0]!
  useKeys({
    onOverlay: setOverlay,
    onTryIt: () => tryIt.set(tryIt.get() === null ? {} : null),
    isFree: overlay === null,
  })
  useEffect(() => {
    document.title = `${t(current.title)} · Lexora`
  }, [current, t])
  useEffect(fetchTheRest, [])
  // The tray's `Report a problem…` has no screen of its own.
  useEffect(() => {
    if (screen === 'diagnostics') setOverlay('diagnostics')
  }, [screen])
  const { failed, minutes } = errorsLately(useStore(series.shown), useStore(series.recent))
  const isLost = link.is !== 'live'
  const update = useStore(desktop)?.updates
  const origins = useSnapshot().server.waitingOrigins ?? 0
  const notes = [
    ...(update?.is === 'ready' ? [t('desk.update.ready', { version: update.version })] : []),
    ...(origins > 0 ? [`${t('origins.title')}: ${origins}`] : []),
  ]
  const badges: Record<string, { count: number | string; why: string }> = {}
  if (notes.length > 0)
    badges['settings'] = { count: notes.length - Math.sign(origins) + origins, why: notes.join(' ') }
  if (failed > 0) {
    const why = t('nav.errors', { count: failed, range: duration(minutes * 60_000) })
    badges['requests'] = { count: failed > 99 ? '99+' : failed, why }
  }
  return (
    <div className={`app${isLost ? ' is-lost' : ''}`} data-look={`${theme} ${density}`}>
      <div className="brand" aria-hidden="true">
        <Mark />
        <span>Lexora</span>
      </div>
      <Header onOverlay={setOverlay} />
      <nav className="nav" aria-label={t('nav.screens')} data-region="">
        {SCREENS.map(({ id, icon, title }) => {
          const badge = badges[id]
          return (
            <a
              key={id}
              href={`#/${id}`}
              aria-current={id === current.id ? 'page' : undefined}
              aria-label={badge === undefined ? t(title) : `${t(title)} ${badge.count}`}
              title={t(title)}
            >
              <Icon name={icon} />
              <span className="grow">{t(title)}</span>{' '}
              {badge !== undefined && (
                <span className="badge" title={badge.why}>
                  {badge.count}
                </span>
              )}
            </a>
          )
        })}
        <div className="nav-foot">
          <button
            type="button"
            className="nav-item"
            aria-label={`${t('nav.tryIt')} Ctrl T`}
            aria-expanded={trying !== null}
            onClick={() => tryIt.set(trying === null ? {} : null)}
          >
            <Icon name="prompt" />
            <span className="grow">{t('nav.tryIt')}</span> <span className="kbd wide">Ctrl T</span>
          </button>
          <button
            type="button"
            className="nav-item"
            aria-label={`${t('nav.help')} ?`}
            onClick={() => setOverlay('keys')}
          >
            <Icon name="help" />
            <span className="grow">{t('nav.help')}</span> <span className="kbd wide">?</span>
          </button>
        </div>
      </nav>
      <main className="main" data-region="" tabIndex={-1} aria-label={t(current.title)}>
        <LinkBanner />
        <CaptureBanner />
        <ConfigBanner />
        <NoTrayBanner />
        <SandboxBanner />
        <Whole key={current.id}>
          <current.View path={path} />
        </Whole>
        {trying !== null && <TryIt key={JSON.stringify(trying)} first={trying} onClose={() => tryIt.set(null)} />}
      </main>
      <StatusBar />
      {overlay === 'palette' && (
        <Palette onClose={() => setOverlay(null)} onOverlay={setOverlay} onTryIt={() => tryIt.set({})} />
      )}
      {overlay === 'keys' && <KeyList onClose={() => setOverlay(null)} />}
      {overlay === 'diagnostics' && <Diagnostics onClose={() => setOverlay(null)} />}
      {overlay === 'free-gpu' && <FreeGpu onClose={() => setOverlay(null)} />}
    </div>
  )
}

function Header({ onOverlay }: { onOverlay: (overlay: Overlay) => void }) {
  const t = useT()
  const snapshot = useSnapshot()
  const { client } = useWorld()
  const actions = useActions()
  const copy = useCopy()
  const end = useQuit()
  const { verb, words, first } = verbWords(snapshot, t)
  const { address, state } = snapshot.server
  const isPaused = state === 'paused'
  const shown = address.replace(/^https?:\/\//, '')
  return (
    <header className="header" data-region="">
      <Readouts />
      <div className="header-end">
        <div className="endpoint">
          <code>{shown}</code>
          <button
            type="button"
            aria-label={t('header.copyAddress', { address: shown })}
            onClick={() => copy(address, t('done.copiedAddress'))}
          >
            <Icon name="copy" />
          </button>
        </div>
        <span className="split">
          <Button
            look={first ? 'first' : 'plain'}
            disabled={verb.do === 'none'}
            onClick={() => press(verb, actions, () => goTo('dashboard'))}
          >
            {words}
          </Button>
          <Menu
            label={t('header.more')}
            className={`btn${first ? ' btn-first' : ''}`}
            trigger={<Icon name="down" />}
            entries={[
              isPaused
                ? { label: t('verb.resume'), onClick: () => void actions.resume() }
                : { label: t('verb.pause'), onClick: () => void actions.pause(), disabled: state !== 'serving' },
              {
                label: t('verb.freeGpu'),
                onClick: () => onOverlay('free-gpu'),
                disabled: snapshot.engines.length === 0,
              },
              'line',
              { label: t('verb.diagnostics'), onClick: () => onOverlay('diagnostics') },
              { label: t('palette.title'), onClick: () => onOverlay('palette'), hint: 'Ctrl K' },
              ...(client.signOut === null
                ? []
                : (['line', { label: t('verb.signOut'), onClick: () => void client.signOut?.() }] as const)),
              ...(end === null ? [] : (['line', { label: end.label, onClick: end.quit }] as const)),
            ]}
          />
        </span>
      </div>
    </header>
  )
}

/** The old content stays and says how old it is. */
function LinkBanner() {
  const t = useT()
  const world = useWorld()
  const link = useStore(world.link)
  const heardAt = useStore(world.heardAt)
  const second = useStore(world.second)
  if (link.is !== 'lost') return null
  const age = Math.max(0, second * 1000 - heardAt)
  return (
    <Banner look="warn">
      {t('link.lost', { time: clock(link.since) })}{' '}
      <span className="dim">{t('link.lostFor', { age: duration(age) })}</span>
      {world.client.platform?.attached === true && (
        <>
          {' '}
          <Button small onClick={() => void world.client.desktop?.do('serve-here')}>
            {t('link.serveHere')}
          </Button>
        </>
      )}
    </Banner>
  )
}

function FreeGpu({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { server } = useSnapshot()
  const actions = useActions()
  const free = (): void => {
    onClose()
    void actions.freeGpu()
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('confirm.freeGpu.title')}
      footer={
        <>
          <Button onClick={onClose}>{t('verb.cancel')}</Button>
          <Button look="danger" onClick={free}>
            {t('confirm.freeGpu.ok')}
          </Button>
        </>
      }
    >
      <p>{t('confirm.freeGpu.body', { count: server.inFlight })}</p>
    </Dialog>
  )
}

/** Keys that work everywhere. What types text keeps its keys. */
function useKeys({
  onOverlay,
  onTryIt,
  isFree,
}: {
  onOverlay: (overlay: Overlay) => void
  onTryIt: () => void
  isFree: boolean
}): void {
  const latest = useRef({ onOverlay, onTryIt, isFree })
  latest.current = { onOverlay, onTryIt, isFree }
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { onOverlay, onTryIt, isFree } = latest.current
      const command = event.ctrlKey || event.metaKey
      const take = (act: () => void): void => {
        event.preventDefault()
        act()
      }
      if (event.key === 'F8') return take(() => document.querySelector<HTMLElement>('.toasts button')?.focus())
      if (command && event.key === 'k') return take(() => onOverlay(isFree ? 'palette' : null))
      if (!isFree) return
      if (command && event.key === 't') return take(onTryIt)
      if (command && event.key === ',') return take(() => goTo('settings'))
      if (command && event.key === 'f') return focusFilter(event)
      if (command && /^[1-9]$/.test(event.key)) {
        const screen = SCREENS[Number(event.key) - 1]
        if (screen !== undefined) take(() => goTo(screen.id))
        return
      }
      const types = (event.target as Element).closest('input, textarea, [contenteditable]') !== null
      if (event.key === '?' && !types) take(() => onOverlay('keys'))
    }
    // Before the list of toasts, which would take this key for itself.
    const onRegionKey = (event: KeyboardEvent): void => {
      if (event.key !== 'F6') return
      event.preventDefault()
      event.stopImmediatePropagation()
      nextRegion(event.shiftKey ? -1 : 1)
    }
    addEventListener('keydown', onRegionKey, true)
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('keydown', onRegionKey, true)
      removeEventListener('keydown', onKey)
    }
  }, [])
}

function nextRegion(step: number): void {
  const regions = [...document.querySelectorAll<HTMLElement>('[data-region]')]
  const at = regions.findIndex((region) => region.contains(document.activeElement))
  const next = regions[(at + step + regions.length) % regions.length]
  const control = next?.querySelector<HTMLElement>('a[href], button:not([disabled]), input, [tabindex="0"]')
  ;(control ?? next)?.focus()
}

/** A page without a filter leaves the key to the browser. */
function focusFilter(event: KeyboardEvent): void {
  const filter = document.querySelector<HTMLInputElement>('.main [data-filter]')
  if (filter === null) return
  event.preventDefault()
  filter.focus()
  filter.select()
}
