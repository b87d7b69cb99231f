import { useState } from 'react'
import type { MintedKey } from '../../src/protocol/users.ts'
import { useCopy } from '../actions.ts'
import { Confirm } from '../components/forms.tsx'
import { Banner, Button, Dialog } from '../components/kit.tsx'
import { Qr } from '../components/Qr.tsx'
import { useT } from '../i18n/index.ts'
import { useSnapshot } from '../stores.ts'
import { keyAsEnv } from '../view-models/people.ts'
import { keyForPhone, placesForPhones } from '../view-models/qr.ts'

/** The only time that a secret is seen. Who closes it without having copied is asked. */
export function KeyShown({ minted: { key, secret }, onClose }: { minted: MintedKey; onClose: () => void }) {
  const t = useT()
  const copy = useCopy()
  const { server } = useSnapshot()
  const [copied, setCopied] = useState(false)
  const [asking, setAsking] = useState(false)
  const [shown, setShown] = useState(false)
  const take = async (text: string, done: string): Promise<void> => {
    if (await copy(text, done)) setCopied(true)
  }
  // Where other machines reach it, its user may sit at one of them.
  const [place] = placesForPhones(server)
  const env = keyAsEnv(place === undefined ? server.address : `${place}/v1`, secret)
  const show = (): void => {
    setShown(true)
    setCopied(true)
  }
  const leave = (): void => (copied ? onClose() : setAsking(true))
  if (asking) {
    return (
      <Confirm
        title={t('key.unseen')}
        cancel={t('key.back')}
        verb={t('key.closeAnyway')}
        onNo={() => setAsking(false)}
        onYes={onClose}
      >
        <p>{t('key.unseenWhy')}</p>
      </Confirm>
    )
  }
  return (
    <Dialog
      open
      wide
      onClose={leave}
      title={t('key.title', { user: key.user })}
      footer={
        <>
          <Button onClick={() => void take(env, t('key.copiedEnv'))}>{t('key.copyEnv')}</Button>
          <span className="grow" />
          <Button onClick={leave}>{t('verb.close')}</Button>
          <Button look="first" onClick={() => void take(secret, t('key.copied'))}>
            {t('key.copy')}
          </Button>
        </>
      }
    >
      <Banner look="info">{t('key.once')}</Banner>
      <pre className="code key-secret" data-secret="">
        {secret}
      </pre>
      <pre className="code small">{env}</pre>
      {shown ? (
        <figure className="qr-box">
          <Qr text={keyForPhone(place ?? null, secret)} label={t('key.qr')} />
          <figcaption className="small dim">{t('key.qrWhy')}</figcaption>
        </figure>
      ) : (
        <Button small onClick={show}>
          {t('key.showQr')}
        </Button>
      )}
    </Dialog>
  )
}
