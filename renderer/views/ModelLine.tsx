import { useState } from 'react'
import { canRestart } from '../../src/protocol/engine.ts'
import { type FitReport, isPullOpen } from '../../src/protocol/models.ts'
import { useActions, useCopy } from '../actions.ts'
import { Icon, StateMark } from '../components/Icon.tsx'
import { Button, IconButton, Menu } from '../components/kit.tsx'
import { ago, gib, gigabytes, kilo, moment, NONE, number, percent } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useStartModel } from '../use-models.ts'
import { fitLook, type ModelRow, rowVerb, weightsWord } from '../view-models/catalogue.ts'
import { engineWords, shapeOf } from '../view-models/frame.ts'
import { pullText } from '../view-models/pull-text.ts'
import { HubToken } from './HubToken.tsx'

/** `tab`: of its drawer. */
export type OnChoose = (id: string | null, tab?: string) => void

/** One row of the list: what a model is, whether it fits, and what can be done with it. */
export function ModelLine({
  row,
  fit,
  speed,
  held,
  chosen,
  marked,
  onChoose,
  onChanged,
}: {
  row: ModelRow
  /** Undefined: not asked yet. */
  fit: FitReport | null | undefined
  /** Of the last bench, in tokens a second. */
  speed: number | null
  held: number
  chosen: boolean
  marked: boolean
  onChoose: OnChoose
  onChanged: () => void
}) {
  const t = useT()
  const { queues } = useSnapshot()
  const { model, engine, pull, name, id } = row
  const now = new Date()
  const says = pull !== null ? pullText(row, t) : engine !== null ? engineWords(engine, queues, t) : null
  const below = [model === null ? null : model.id, says].filter((part) => part !== null).join(' · ') || id
  return (
    <tr aria-selected={chosen} className={marked ? 'is-marked' : ''} onClick={() => onChoose(chosen ? null : id)}>
      <td>
        <span className="cell">
          <RowMark row={row} />
          <span className="col two-line">
            <span className="clip strong name">{name}</span>
            <span className="clip micro dim" title={below}>
              {below}
            </span>
          </span>
        </span>
      </td>
      <td className="cm mid">{(model === null ? null : weightsWord(model)) ?? NONE}</td>
      <td className="c2 num">
        {pull !== null && pull.total !== null
          ? percent(pull.total === 0 ? 0 : pull.bytes / pull.total)
          : model === null
            ? NONE
            : gigabytes(model.bytes)}
      </td>
      <td className="c2 num">{model?.contextLength == null ? NONE : kilo(model.contextLength)}</td>
      <td>
        <Memory row={row} fit={fit} held={held} />
      </td>
      <td className="cm num">{number(speed, 1)}</td>
      <td className="c3 mid" title={model?.lastUsed == null ? undefined : moment(model.lastUsed, now, t.language)}>
        {model === null ? NONE : model.lastUsed === null ? t('users.never') : ago(model.lastUsed, now, t.language)}
      </td>
      <td className="num">
        {/* biome-ignore lint/a11y/noStaticElementInteractions: a click on the button is none on the row */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button has its own keys */}
        <span onClick={(event) => event.stopPropagation()}>
          <span className="row tight end">
            <RowButton row={row} onChanged={onChanged} />
            {model !== null && <RowMenu row={row} onChoose={onChoose} />}
          </span>
        </span>
      </td>
    </tr>
  )
}

/** What else may be done with a model; what asks before it acts is in its drawer. */
function RowMenu({ row: { id, name, engine }, onChoose }: { row: ModelRow; onChoose: OnChoose }) {
  const t = useT()
  const actions = useActions()
  const copy = useCopy()
  return (
    <Menu
      label={t('models.menu', { name })}
      className="btn btn-quiet btn-icon btn-small"
      trigger={<span aria-hidden="true">⋯</span>}
      entries={[
        ...(engine !== null && canRestart(engine.state)
          ? [{ label: t('verb.restart'), onClick: () => void actions.restart(engine.name) }, 'line' as const]
          : []),
        { label: t('model.tab.fit'), onClick: () => onChoose(id, 'fit') },
        { label: t('files.check'), onClick: () => onChoose(id, 'files') },
        { label: t('models.copyId'), onClick: () => copy(id) },
        'line',
        { label: t('files.remove'), onClick: () => onChoose(id, 'files') },
      ]}
    />
  )
}

function RowMark({ row: { engine, pull, model } }: { row: ModelRow }) {
  if (pull !== null) return isPullOpen(pull) ? <Icon name="down" /> : <StateMark shape="failed" />
  if (engine !== null) return <StateMark shape={shapeOf(engine.state)} />
  return <StateMark shape={model?.complete === false ? 'failed' : 'stopped'} />
}

function Memory({
  row: { model, pull, engine },
  fit,
  held,
}: {
  row: ModelRow
  fit: FitReport | null | undefined
  held: number
}) {
  const t = useT()
  if (pull !== null && pull.total !== null && isPullOpen(pull)) {
    const share = pull.total === 0 ? 0 : pull.bytes / pull.total
    return (
      <span
        className="meter meter-pull"
        role="progressbar"
        aria-label={t('pull.progress')}
        aria-valuenow={Math.round(share * 100)}
      >
        <i style={{ width: `${share * 100}%` }} />
      </span>
    )
  }
  if (model === null) return <span className="dim">{NONE}</span>
  if (!model.complete) {
    return (
      <span className="col two-line">
        <span className="bad">{t('fit.incomplete')}</span>
        <span className="micro dim clip">{model.missing[0] ?? ''}</span>
      </span>
    )
  }
  if (engine?.pid != null) return <span>{t('fit.runs')}</span>
  if (fit === undefined) return <span className="dim">…</span>
  const { look, spareBytes, neededBytes, context } = fitLook(fit, held)
  const note =
    look === 'no' || look === 'swap' || look === 'shorter'
      ? t('fit.needs', { size: gib(neededBytes) })
      : spareBytes !== null
        ? t('fit.spare', { size: gib(spareBytes) })
        : look === 'unknown'
          ? ''
          : t('fit.ofMachine')
  return (
    <span className="col two-line">
      <span className={look === 'no' ? 'bad' : look === 'fits' || look === 'unknown' ? '' : 'warn'}>
        {t(`fit.${look}`, { context: kilo(context ?? 0) })}
      </span>
      <span className="micro dim clip">{note}</span>
    </span>
  )
}

function RowButton({ row, onChanged }: { row: ModelRow; onChanged: () => void }) {
  const t = useT()
  const actions = useActions()
  const { client } = useWorld()
  const start = useStartModel()
  const { model, engine, pull } = row
  const verb = rowVerb(row)
  const [asksToken, setAsksToken] = useState(false)
  switch (verb) {
    case 'stop':
      return (
        <Button small onClick={() => void actions.stop(engine!.name)}>
          {t('models.stop')}
        </Button>
      )
    case 'pull': {
      const { id, state } = pull!
      const { cancelPull, pausePull, resumePull } = client.commands
      const ask = (command: typeof cancelPull) => (): void => void actions.told(command({ id })).then(onChanged)
      return (
        <span className="row tight end">
          {state === 'held' ? (
            <IconButton icon="play" label={t('pull.resume')} onClick={ask(resumePull)} />
          ) : (
            <IconButton icon="pause" label={t('pull.pause')} onClick={ask(pausePull)} />
          )}
          <IconButton icon="close" label={t('verb.cancel')} onClick={ask(cancelPull)} />
        </span>
      )
    }
    case 'retry': {
      const repo = pull?.repo ?? model?.id ?? ''
      const again = (): void => void actions.told(client.commands.pullModel({ repo })).then(onChanged)
      const terms = pull?.problem?.terms
      if (terms !== undefined)
        return (
          <>
            <Button small onClick={() => setAsksToken(true)}>
              {t('hub.open')}
            </Button>
            {asksToken && <HubToken terms={terms} onDone={again} onClose={() => setAsksToken(false)} />}
          </>
        )
      return (
        <Button small disabled={pull === null && model?.source === 'folder'} onClick={again}>
          {t('models.repair')}
        </Button>
      )
    }
    case 'start':
      return (
        <Button
          small
          onClick={() => {
            if (model !== null) void start(model, engine?.name ?? null).then(onChanged)
            else if (engine !== null) void actions.start(engine.name)
          }}
        >
          {t('models.start')}
        </Button>
      )
    case 'none':
      return null
  }
}
