import type { ReactNode } from 'react'
import {
  type DesktopChange,
  type DesktopPreferences,
  NOTICE_KINDS,
  type UpdateView,
} from '../../src/protocol/desktop.ts'
import { useToasts } from '../actions.ts'
import { Button, Segmented, Select, Switch } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useWorld } from '../stores.ts'
import { WindowRow } from './WindowRow.tsx'

type Part = 'startAtLogin' | 'onClose' | 'trayIcon' | 'notifications' | 'updates'

/** How the desktop app behaves on this machine; nothing in a browser. */
export function DesktopSettings({ only }: { only: readonly Part[] }) {
  const { client } = useWorld()
  return client.desktop === null ? null : <Of desktop={client.desktop} only={only} />
}

function Of({
  desktop,
  only,
}: {
  desktop: NonNullable<ReturnType<typeof useWorld>['client']['desktop']>
  only: readonly string[]
}) {
  const t = useT()
  const toasts = useToasts()
  const value = useStore(useWorld().desktop)
  if (value === null) return null
  const { preferences, autostart, updates } = value
  const change = async (changes: DesktopChange): Promise<void> => {
    const told = await desktop.change(changes)
    if (!told.ok) toasts.fail(t('failed.command', { reason: t.said(told.message) }))
  }
  const row = (label: string, effect: string, control: ReactNode) => (
    <WindowRow label={label} effect={effect}>
      {control}
    </WindowRow>
  )
  return (
    <>
      {only.includes('startAtLogin') &&
        row(
          t('desk.startAtLogin'),
          autostart.is === 'cannot' ? t.said(autostart.reason) : t('desk.startAtLoginWhy'),
          <Switch
            label={t('desk.startAtLogin')}
            checked={preferences.startAtLogin}
            disabled={autostart.is === 'cannot'}
            onChange={(startAtLogin) => void change({ startAtLogin })}
          />,
        )}
      {only.includes('onClose') &&
        row(
          t('desk.onClose'),
          t(value.hasTray ? 'desk.onCloseWhy' : 'desk.onCloseNoTray'),
          <Segmented
            label={t('desk.onClose')}
            value={preferences.onClose}
            options={(['hide', 'quit', 'ask'] as DesktopPreferences['onClose'][]).map((option) => ({
              value: option,
              label: t(`desk.onClose.${option}`),
            }))}
            onChange={(onClose) => void change({ onClose })}
          />,
        )}
      {only.includes('trayIcon') &&
        row(
          t('desk.trayIcon'),
          t('desk.trayIconWhy'),
          <Select
            grow
            label={t('desk.trayIcon')}
            value={preferences.trayIcon}
            options={(['colour', 'mono'] as const).map((option) => ({
              value: option,
              label: t(`desk.tray.${option}`),
            }))}
            onChange={(trayIcon) => void change({ trayIcon: trayIcon as DesktopPreferences['trayIcon'] })}
          />,
        )}
      {only.includes('notifications') &&
        row(
          t('desk.notices'),
          t('desk.noticesWhy'),
          <ul className="notices">
            {NOTICE_KINDS.map((kind) => (
              <li key={kind} className="row">
                <Switch
                  label={t(`desk.notice.${kind}`)}
                  checked={preferences.notifications[kind]}
                  onChange={(on) => void change({ notifications: { [kind]: on } })}
                />
                <span className="small">{t(`desk.notice.${kind}`)}</span>
              </li>
            ))}
          </ul>,
        )}
      {only.includes('updates') &&
        row(
          t('desk.updates'),
          updateSaid(updates, t),
          updates.is === 'ready' ? (
            <Button disabled={updates.asked} onClick={() => void desktop.do('install-update')}>
              {t('desk.updateRestart')}
            </Button>
          ) : (
            <Button
              disabled={!['waiting', 'none', 'refused'].includes(updates.is)}
              onClick={() => void desktop.do('check-updates')}
            >
              {t('desk.updateCheck')}
            </Button>
          ),
        )}
    </>
  )
}

/** The files themselves, for whoever sits at this machine; nothing in a browser. */
export function OpenFiles() {
  const t = useT()
  const { desktop } = useWorld().client
  if (desktop === null) return null
  return (
    <div className="row gap-top">
      <Button small onClick={() => void desktop.do('open-config')}>
        {t('desk.openConfig')}
      </Button>
      <Button small onClick={() => void desktop.do('open-logs')}>
        {t('desk.openLogs')}
      </Button>
    </div>
  )
}

function updateSaid(updates: UpdateView, t: ReturnType<typeof useT>): string {
  switch (updates.is) {
    case 'off':
      return t(`desk.update.${updates.why}`)
    case 'refused':
      return t('desk.update.refused', { why: t(`desk.refused.${updates.why}`) })
    case 'ready':
      return t(updates.asked ? 'desk.update.asked' : 'desk.update.ready', { version: updates.version })
    case 'loading':
      return t('desk.update.loading', { version: updates.version })
    default:
      return t(`desk.update.${updates.is}`)
  }
}
