import { useState } from 'react'
import { type DiskView, isPullFull, isPullOpen } from '../../src/protocol/models.ts'
import { useActions } from '../actions.ts'
import { benches } from '../bench-store.ts'
import { Field } from '../components/forms.tsx'
import { Banner, Button, Empty, Segmented, Skeleton } from '../components/kit.tsx'
import { gigabytes } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { goTo, type ScreenProps } from '../route.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useFits, useHeld, useModels } from '../use-models.ts'
import {
  diskLook,
  type ListKind,
  modelRows,
  type Sort,
  sortedRows,
  sortWords,
  wordsSort,
} from '../view-models/catalogue.ts'
import { fullText } from '../view-models/pull-text.ts'
import { AddModel } from './AddModel.tsx'
import { EngineVersions } from './EngineVersions.tsx'
import { ModelDrawer } from './ModelDrawer.tsx'
import type { OnChoose } from './ModelLine.tsx'
import { ModelList } from './ModelList.tsx'
import { Presets } from './Presets.tsx'

const VERSIONS = 'engine-versions'
const SORT = 'lexora.models.sort'

/** Models on this machine, on their way, and good ones to begin with; the engines that run them. */
export function Models({ path }: ScreenProps) {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const { told } = useActions()
  const [search, setSearch] = useState('')
  const [kind, setKind] = useState<ListKind>('local')
  const [sort, setSort] = useState<Sort>(() => wordsSort(readList(SORT)))
  const speeds = useStore(benches)
  const [adding, setAdding] = useState(false)
  const [scanning, setScanning] = useState(false)
  const { models, disk, presets, pulls, again } = useModels()
  const running = engines.filter(({ pid }) => pid !== null).map(({ name }) => name)
  const fits = useFits(models.value, running.join(' '))
  const held = useHeld(running.length > 0)
  const all = models.value === null ? null : modelRows(models.value, engines, pulls, search)
  const coming = pulls.filter(isPullOpen).length
  const speedOf = (id: string): number | null => speeds[id]?.[0]?.tokensPerSecondPerStream ?? null
  const listed = all?.filter(({ pull }) => kind !== 'coming' || pull !== null) ?? null
  const rows = listed === null ? null : sortedRows(listed, sort, { fits, speedOf })
  const [chosen = '', tab] = path.split('/').map(decodeURIComponent)
  const choose: OnChoose = (id, tab) =>
    goTo('models', id === null ? '' : [id, ...(tab === undefined ? [] : [tab])].map(encodeURIComponent).join('/'))
  // `engine:NAME` finds the model that this engine runs.
  const at = rows?.findIndex(({ id, engine }) => id === chosen || `engine:${engine?.name}` === chosen) ?? -1
  const row = at >= 0 ? rows![at]! : null
  const step = (by: number): void => {
    const next = rows?.[at + by]
    if (next !== undefined) choose(next.id)
  }
  const bytes = (models.value ?? []).reduce((sum, model) => sum + model.bytes, 0)
  const scan = async (): Promise<void> => {
    setScanning(true)
    await told(client.commands.scanModels(), t('models.scanned'))
    await again()
    setScanning(false)
  }
  const isOpen = row !== null || chosen === VERSIONS
  return (
    <>
      <h1 className="sr">{t('nav.models')}</h1>
      <div className="bar line-b bar-tall">
        <div className="grow search-box">
          <Field label={t('models.search')} value={search} onChange={setSearch} filter hideLabel />
        </div>
        <Segmented
          label={t('models.which')}
          value={kind}
          options={[
            { value: 'local', label: t('models.local', { count: models.value?.length ?? 0 }) },
            { value: 'coming', label: t('models.coming', { count: coming }) },
            { value: 'hub', label: t('models.hub') },
          ]}
          onChange={setKind}
        />
        <span className="small dim clip push opt-wide" role="status">
          {models.value !== null && t('models.onDisk', { size: gigabytes(bytes) })}
        </span>
        {disk !== null && <Disk disk={disk} models={bytes} />}
        <Button look="quiet" onClick={() => void scan()} busy={scanning}>
          {t('models.rescan')}
        </Button>
        <Button look="quiet" onClick={() => choose(chosen === VERSIONS ? null : VERSIONS)}>
          {t('models.versions')}
        </Button>
        <Button look="first" onClick={() => setAdding(true)}>
          {t('models.add')}
        </Button>
      </div>
      {disk !== null && diskLook(disk) !== 'good' && (
        <Banner look={diskLook(disk) === 'full' ? 'bad' : 'warn'}>
          {t('disk.low', { size: gigabytes(disk.freeBytes), folder: disk.folder })}
        </Banner>
      )}
      {pulls.filter(isPullFull).map((pull) => (
        <Banner
          key={pull.id}
          look="bad"
          actions={
            <Button small onClick={() => void told(client.commands.resumePull({ id: pull.id })).then(again)}>
              {t('pull.goOn')}
            </Button>
          }
        >
          {fullText(pull, disk, t)}
        </Banner>
      ))}
      <div className={isOpen ? 'pane fill pane-wide' : 'fill-col'}>
        {kind === 'hub' ? (
          <Presets presets={presets} onChanged={() => void again()} search={search} />
        ) : models.failed !== null && rows === null ? (
          <Empty
            bad
            title={t('models.failed')}
            actions={<Button onClick={() => void again()}>{t('verb.tryAgain')}</Button>}
          >
            {models.failed}
          </Empty>
        ) : rows === null ? (
          <Skeleton rows={7} height={44} />
        ) : (
          <ModelList
            rows={rows}
            sort={sort}
            onSort={(next) => {
              setSort(next)
              keepList(SORT, sortWords(next))
            }}
            speedOf={speedOf}
            fits={fits}
            held={[...held.values()].reduce((sum, bytes) => sum + bytes, 0)}
            chosen={row?.id ?? null}
            onChoose={choose}
            kind={kind}
            filtered={search.trim() !== ''}
            onHub={() => setKind('hub')}
            onAdd={() => setAdding(true)}
            onChanged={() => void again()}
          />
        )}
        {chosen === VERSIONS ? (
          <EngineVersions onClose={() => choose(null)} />
        ) : (
          row !== null && (
            <ModelDrawer
              key={`${row.id} ${tab ?? ''}`}
              row={row}
              first={tab}
              onClose={() => choose(null)}
              onStep={step}
              onChanged={() => void again()}
            />
          )
        )}
      </div>
      {adding && (
        <AddModel
          onClose={() => {
            setAdding(false)
            void again()
          }}
        />
      )}
    </>
  )
}

/** What the models take of their disk, what else is on it, and what is free. */
function Disk({ disk, models }: { disk: DiskView; models: number }) {
  const t = useT()
  const { freeBytes, totalBytes, folder } = disk
  const used = totalBytes === 0 ? 0 : 1 - freeBytes / totalBytes
  const look = diskLook(disk)
  const words = t('disk.free', { free: gigabytes(freeBytes), total: gigabytes(totalBytes) })
  return (
    <span className="row tight small disk" title={`${words}\n${folder}`}>
      <span className="sr">{t('disk.label', { models: gigabytes(models) })}</span>
      <span className="meter" aria-hidden="true">
        <i
          className={look === 'full' ? 'is-full' : look === 'low' ? 'is-near' : undefined}
          style={{ width: `${used * 100}%` }}
        />
      </span>
      <span className={look === 'good' ? 'dim nowrap' : 'warn nowrap'}>
        {t('disk.short', { free: gigabytes(freeBytes) })}
      </span>
    </span>
  )
}
