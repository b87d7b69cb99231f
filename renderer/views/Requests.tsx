import { Tabs } from '@base-ui/react/tabs'
import { useState } from 'react'
import { useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { goTo, type ScreenProps } from '../route.ts'
import { useWorld } from '../stores.ts'
import { VIEW_TITLES } from '../view-models/request-views.ts'
import { History } from './History.tsx'
import { Live } from './Live.tsx'
import { EngineLogView, GatewayLogView } from './Logs.tsx'

type View = keyof typeof VIEW_TITLES

const VIEWS = Object.keys(VIEW_TITLES) as View[]

/** `NAME/error`: the log of that engine, at the first error since its last start. */
function placeOf([engine, place]: string[]): { engine: string; isError: boolean } | null {
  return engine === undefined ? null : { engine: decodeURIComponent(engine), isError: place === 'error' }
}

/** What runs, what ran, and what the engine and the gateway say of it. */
export function Requests({ path }: ScreenProps) {
  const t = useT()
  const { client } = useWorld()
  const [end, setEnd] = useState<HTMLElement | null>(null)
  const [first, ...rest] = path.split('/')
  const view = VIEWS.find((name) => name === first) ?? 'live'
  const filter = decodeURIComponent(rest.join('/'))
  const requests = usePolled(async () => (await client.commands.listRequests()).requests, 1000)
  return (
    <Tabs.Root className="fill-col" value={view} onValueChange={(next: View) => goTo('requests', next)}>
      <h1 className="sr">{t('nav.requests')}</h1>
      <div className="tabs tabs-bar">
        <Tabs.List className="tabs-list" activateOnFocus aria-label={t('requests.views')}>
          {VIEWS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t(VIEW_TITLES[name])}
              {name === 'live' && requests !== null && <span className="count">{requests.length}</span>}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <span className="tabs-end" ref={setEnd} />
      </div>
      <Tabs.Panel value="live" className="fill-col" tabIndex={-1}>
        <Live requests={requests} />
      </Tabs.Panel>
      <Tabs.Panel value="history" className="fill-col" tabIndex={-1}>
        <History key={filter} corner={end} filter={filter} />
      </Tabs.Panel>
      <Tabs.Panel value="engine-log" className="fill-col" tabIndex={-1}>
        <EngineLogView key={path} only={null} at={view === 'engine-log' ? placeOf(rest) : null} />
      </Tabs.Panel>
      <Tabs.Panel value="gateway-log" className="fill-col" tabIndex={-1}>
        <GatewayLogView />
      </Tabs.Panel>
    </Tabs.Root>
  )
}
