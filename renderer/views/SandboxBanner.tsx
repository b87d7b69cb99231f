import { useState } from 'react'
import { Banner, Button } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { useStore } from '../store.ts'
import { useWorld } from '../stores.ts'

const TOLD = 'lexora.told'

/** An AppImage where the system forbids user namespaces: said until somebody has read it. */
export function SandboxBanner() {
  const t = useT()
  const desktop = useStore(useWorld().desktop)
  const [isRead, setRead] = useState(() => readList(TOLD).includes('sandbox'))
  if (desktop === null || desktop.sandboxed || isRead) return null
  const read = (): void => {
    keepList(TOLD, ['sandbox'])
    setRead(true)
  }
  return (
    <Banner
      look="info"
      actions={
        <Button small onClick={read}>
          {t('verb.close')}
        </Button>
      }
    >
      {t('banner.sandbox')}
    </Banner>
  )
}
