import type { ReactNode } from 'react'
import { useActions } from '../actions.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button, Facts, Popover } from '../components/kit.tsx'
import { duration, gib, percent, withUnit } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { goTo } from '../route.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { engineReadout, engineWords, gatewayReadout, gpuReadout, type Readout, shapeOf } from '../view-models/frame.ts'

/** Which part is in what state; a press tells the rest. */
export function Readouts() {
  const t = useT()
  const snapshot = useSnapshot()
  const { link } = useWorld()
  const isLost = useStore(link).is !== 'live'
  const index = snapshot.gpu.is === 'read' ? String(snapshot.gpu.gpus[0]?.index ?? 0) : ''
  return (
    <>
      <Chip title={t('header.gateway')} readout={gatewayReadout(snapshot, isLost, t)}>
        <GatewayFacts />
      </Chip>
      <Chip title={t('header.engine')} readout={engineReadout(snapshot, t)}>
        <EngineFacts />
      </Chip>
      <Chip title={t('header.gpu', { index }).trim()} readout={gpuReadout(snapshot, t)}>
        <GpuFacts />
      </Chip>
    </>
  )
}

function Chip({ title, readout, children }: { title: string; readout: Readout; children: ReactNode }) {
  return (
    <Popover
      className="chip"
      title={title}
      trigger={
        <>
          <span>{title}</span>
          <b>
            <StateMark shape={readout.shape} />
            <span className="wide clip">{readout.words}</span>
            <span className="narrow clip">{readout.short}</span>
          </b>
        </>
      }
    >
      {children}
    </Popover>
  )
}

function GatewayFacts() {
  const t = useT()
  const { server, health, backends } = useSnapshot()
  return (
    <>
      <Facts
        facts={[
          [t('fact.address'), server.address],
          [t('fact.version'), server.version],
          [t('fact.pid'), server.pid],
          [t('fact.uptime'), duration(server.uptimeSeconds * 1000)],
          [t('fact.inFlight'), server.inFlight],
          [t('fact.config'), server.configPath ?? t('fact.defaults')],
          health.reasons.length === 0 ? null : [t('fact.reason'), health.reasons.map(t.said).join('; ')],
        ]}
      />
      {backends.length > 0 && (
        <>
          <h3 className="micro dim gap-top">{t('fact.backends')}</h3>
          <ul className="small">
            {backends.map((backend) => (
              <li key={backend.name} className="row">
                <StateMark
                  shape={backend.status === 'up' ? 'ready' : backend.status === 'down' ? 'failed' : 'stopped'}
                />
                <span className="name">{backend.name}</span>
                <span className="dim clip">
                  {backend.reason === null ? (backend.host ?? '') : t.said(backend.reason)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

function EngineFacts() {
  const t = useT()
  const { engines, queues } = useSnapshot()
  const actions = useActions()
  if (engines.length === 0) return <p className="small mid">{t('start.noEngineWhy')}</p>
  return engines.map((engine) => {
    const { name, state, lastFailure } = engine
    const canStart = ['stopped', 'failed', 'backoff', 'sleeping', 'foreign', 'not-installed'].includes(state.is)
    return (
      <section key={name} className="pop-part">
        <h3 className="row">
          <StateMark shape={shapeOf(state)} />
          <span className="name strong">{name}</span>
          <span className="mid">{engineWords(engine, queues, t)}</span>
        </h3>
        <Facts
          facts={[
            engine.model === null
              ? null
              : [
                  t('fact.model'),
                  <span key="m" className="name">
                    {engine.model}
                  </span>,
                ],
            engine.pid === null ? null : [t('fact.pid'), engine.pid],
            engine.port === null ? null : [t('fact.port'), engine.port],
            engine.uptimeMs === null ? null : [t('fact.uptime'), duration(engine.uptimeMs)],
            engine.version === null ? null : [t('fact.version'), engine.version],
            engine.launch === null ? null : [t('fact.launch'), t.said(engine.launch)],
            engine.restarts === 0 ? null : [t('fact.restarts'), engine.restarts],
            lastFailure === null ? null : [t('fact.lastFailure'), t.said(lastFailure.cause)],
          ]}
        />
        <div className="row gap-top">
          {canStart ? (
            <Button small onClick={() => void actions.start(name)}>
              {t('verb.start')}
            </Button>
          ) : (
            <>
              <Button small onClick={() => void actions.stop(name)}>
                {t('verb.stop')}
              </Button>
              <Button small onClick={() => void actions.restart(name)}>
                {t('verb.restart')}
              </Button>
            </>
          )}
          <Button small look="quiet" onClick={() => goTo('requests', 'engine-log')}>
            {t('requests.engineLog')}
          </Button>
        </div>
      </section>
    )
  })
}

function GpuFacts() {
  const t = useT()
  const { gpu } = useSnapshot()
  if (gpu.is !== 'read')
    return <p className="small mid">{gpu.is === 'unread' ? t('gpu.unread') : t.said(gpu.reason)}</p>
  return gpu.gpus.map((card) => (
    <section key={card.index} className="pop-part">
      <h3 className="strong">{card.name}</h3>
      <Facts
        facts={[
          [t('fact.memory'), `${gib(card.usedBytes)} / ${gib(card.totalBytes)} GiB`],
          [t('fact.load'), percent(card.utilization)],
          [t('fact.temperature'), withUnit(card.temperatureC, '°C')],
          [t('fact.power'), `${withUnit(card.powerW, 'W')} / ${withUnit(card.powerLimitW, 'W')}`],
          card.throttle === null ? null : [t('fact.throttle'), t(`throttle.${card.throttle}`)],
          card.driver === null ? null : [t('fact.driver'), card.driver],
        ]}
      />
    </section>
  ))
}
