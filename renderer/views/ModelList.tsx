import type { FitReport } from '../../src/protocol/models.ts'
import { Button, Empty } from '../components/kit.tsx'
import { type MessageKey, useT } from '../i18n/index.ts'
import { useTableKeys } from '../table-keys.ts'
import { type ListKind, type ModelRow, nextSort, type Sort, type SortKey } from '../view-models/catalogue.ts'
import { ModelLine, type OnChoose } from './ModelLine.tsx'

const TITLES: readonly { by: SortKey; title: MessageKey; className?: string }[] = [
  { by: 'name', title: 'col.model' },
  { by: 'weights', title: 'models.col.weights', className: 'cm' },
  { by: 'size', title: 'models.col.size', className: 'c2 num' },
  { by: 'context', title: 'models.col.context', className: 'c2 num' },
  { by: 'memory', title: 'models.col.memory' },
  { by: 'speed', title: 'col.speed', className: 'cm num' },
  { by: 'used', title: 'models.col.used', className: 'c3' },
]

/** The models of this machine with their columns, each of which puts them in order; arrows choose a row. */
export function ModelList({
  rows,
  sort,
  onSort,
  speedOf,
  fits,
  held,
  chosen,
  onChoose,
  kind,
  filtered,
  onHub,
  onAdd,
  onChanged,
}: {
  rows: readonly ModelRow[]
  sort: Sort
  onSort: (sort: Sort) => void
  speedOf: (id: string) => number | null
  fits: ReadonlyMap<string, FitReport | null>
  /** Of the GPUs' memory, by engines of ours. */
  held: number
  chosen: string | null
  onChoose: OnChoose
  kind: ListKind
  filtered: boolean
  onHub: () => void
  onAdd: () => void
  onChanged: () => void
}) {
  const t = useT()
  const { marked, onKey } = useTableKeys(
    rows.map(({ id }) => id),
    chosen,
    onChoose,
  )
  return (
    <section
      className="table-wrap fill"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys choose a row
      tabIndex={0}
      aria-label={t('nav.models')}
      onKeyDown={onKey}
    >
      {rows.length > 0 && (
        <table className="table tall">
          <colgroup>
            <col />
            <col className="cm" style={{ width: 84 }} />
            <col className="c2" style={{ width: 80 }} />
            <col className="c2" style={{ width: 64 }} />
            <col style={{ width: 132 }} />
            <col className="cm" style={{ width: 60 }} />
            <col className="c3" style={{ width: 108 }} />
            <col style={{ width: 108 }} />
          </colgroup>
          <thead>
            <tr>
              {TITLES.map(({ by, title, className }) => (
                <th
                  key={by}
                  className={className}
                  aria-sort={sort?.by !== by ? undefined : sort.down ? 'descending' : 'ascending'}
                >
                  <button type="button" onClick={() => onSort(nextSort(sort, by))}>
                    {t(title)}
                  </button>
                </th>
              ))}
              <th>
                <span className="sr">{t('col.action')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <ModelLine
                key={row.id}
                row={row}
                fit={fits.get(row.id)}
                speed={speedOf(row.id)}
                held={held}
                chosen={row.id === chosen}
                marked={marked.has(row.id)}
                onChoose={onChoose}
                onChanged={onChanged}
              />
            ))}
          </tbody>
        </table>
      )}
      {(rows.length === 0 ||
        (kind === 'local' && !filtered && rows.every(({ model, pull }) => model === null && pull === null))) &&
        (filtered ? (
          <Empty title={t('models.noneFits')} />
        ) : kind === 'coming' ? (
          <Empty title={t('models.noneComing')} />
        ) : (
          <Empty
            title={t('models.none')}
            actions={
              <>
                <Button look="first" onClick={onHub}>
                  {t('models.choose')}
                </Button>
                <Button onClick={onAdd}>{t('models.add')}</Button>
              </>
            }
          >
            {t('models.noneWhy')}
          </Empty>
        ))}
    </section>
  )
}
