import { useState } from 'react'
import { Drawer, TabBar } from '../components/forms.tsx'
import { StateMark } from '../components/Icon.tsx'
import { Banner, Empty } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useSnapshot } from '../stores.ts'
import type { ModelRow } from '../view-models/catalogue.ts'
import { engineWords, shapeOf } from '../view-models/frame.ts'
import { pullText } from '../view-models/pull-text.ts'
import { EngineLogView } from './Logs.tsx'
import { ModelBench } from './ModelBench.tsx'
import { ModelFiles } from './ModelFiles.tsx'
import { ModelFit } from './ModelFit.tsx'
import { ModelLaunch } from './ModelLaunch.tsx'

const TABS = ['fit', 'launch', 'files', 'bench', 'log'] as const

type Tab = (typeof TABS)[number]

/** One model: whether it fits, how it is started, what lies on the disk, how fast it is, what it says. */
export function ModelDrawer({
  row,
  first,
  onClose,
  onStep,
  onChanged,
}: {
  row: ModelRow
  /** The tab that it opens with. */
  first?: string | undefined
  onClose: () => void
  onStep: (by: number) => void
  onChanged: () => void
}) {
  const t = useT()
  const { queues } = useSnapshot()
  const { model, engine, pull, name } = row
  const [wanted, setTab] = useState<Tab>(TABS.find((tab) => tab === first) ?? (model === null ? 'launch' : 'fit'))
  const failure = engine !== null && 'failure' in engine.state ? engine.state.failure : null
  return (
    <Drawer
      label={name}
      title={name}
      close={t('verb.close')}
      onClose={onClose}
      onStep={onStep}
      side={
        engine !== null && (
          <span className="row small tight nowrap">
            <StateMark shape={shapeOf(engine.state)} /> {engineWords(engine, queues, t)}
          </span>
        )
      }
    >
      {failure !== null && (
        <Banner look={failure.canHeal ? 'warn' : 'bad'}>
          {t.said(failure.cause)} {failure.fix !== null && t.said(failure.fix)}
        </Banner>
      )}
      {pull !== null && <Banner look="info">{pullText({ pull }, t)}</Banner>}
      <TabBar
        label={t('model.tabs')}
        value={wanted}
        tabs={TABS.map((value) => ({ value, label: t(`model.tab.${value}`) }))}
        onChange={setTab}
      >
        {wanted === 'launch' ? (
          engine === null ? (
            <Empty title={t('launch.none')}>{t('launch.noneWhy')}</Empty>
          ) : (
            <ModelLaunch engine={engine} />
          )
        ) : wanted === 'log' ? (
          engine === null ? (
            <Empty title={t('log.none')}>{t('log.noneWhy')}</Empty>
          ) : (
            <EngineLogView only={engine.name} />
          )
        ) : wanted === 'bench' ? (
          <ModelBench row={row} />
        ) : model === null ? (
          <Empty title={t('model.notHere')}>{t('model.notHereWhy')}</Empty>
        ) : wanted === 'fit' ? (
          <ModelFit model={model} engine={engine} />
        ) : (
          <ModelFiles model={model} onChanged={onChanged} onGone={onClose} />
        )}
      </TabBar>
    </Drawer>
  )
}
