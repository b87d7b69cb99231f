import { type DiskView, isPullFull, isPullOpen, type PullView } from '../../src/protocol/models.ts'
import { shortName } from '../../src/protocol/new-engine.ts'
import { duration, gigabytes, NONE, number } from '../format.ts'
import type { Translate } from '../i18n/index.ts'
import type { ModelRow } from './catalogue.ts'

/** `15.4 of 24.8 GB · 88 MB/s · 1 min 47 s left`. */
export function pullText({ pull }: Pick<ModelRow, 'pull'>, t: Translate): string {
  if (pull === null) return ''
  if (isPullFull(pull)) return t('pull.noRoom')
  if (pull.problem !== null && !isPullOpen(pull)) return t.said(pull.problem.cause)
  const of = t('pull.of', { bytes: gigabytes(pull.bytes), total: pull.total === null ? NONE : gigabytes(pull.total) })
  const speed = pull.bytesPerSecond === null ? null : `${number(pull.bytesPerSecond / 1e6, 1)} MB/s`
  const left = pull.etaSeconds === null ? null : t('pull.left', { left: duration(pull.etaSeconds * 1000) })
  const state = pull.state === 'running' ? null : t(pull.offline ? 'pull.offline' : `pull.${pull.state}`)
  return [state, of, speed, left].filter((part) => part !== null).join(' · ')
}

/** Why one that met a full disk waits; without figures where its files are not listed yet, as after a restart. */
export function fullText({ repo, bytes, total }: PullView, disk: DiskView | null, t: Translate): string {
  const name = shortName(repo)
  if (total === null || disk === null) return `${name}: ${t('pull.noRoom')}`
  return t('pull.full', { name, size: gigabytes(total - bytes), folder: disk.folder })
}
