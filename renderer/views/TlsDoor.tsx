import { useState } from 'react'
import type { ConfigView } from '../../src/protocol/config-view.ts'
import { useToasts } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Field } from '../components/forms.tsx'
import { Button, Dialog, Facts } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'

/** The certificate that clients are shown: made here, or the operator's own. */
export function TlsDoor({ config, onChanged }: { config: ConfigView; onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const toasts = useToasts()
  const tls = useAsked(async () => await client.commands.readTls())
  const [asking, setAsking] = useState<'create' | 'import' | null>(null)
  const entry = config.entries.find(({ path }) => path === 'server.tls')
  const { certificate = null, pendingRestart = false } = tls.value ?? {}
  const changed = (): void => {
    setAsking(null)
    toasts.say(t('set.savedLater', { name: t('tls.title') }))
    void tls.again()
    onChanged()
  }
  const set = async (value: { cert: string; key: string } | null): Promise<void> => {
    await client.commands.setConfig({ changes: [{ path: 'server.tls', value }] })
  }
  return (
    <section className="set" aria-label={t('tls.title')}>
      <div className="set-t">
        <div className="set-label">{t('tls.title')}</div>
        <p className="small dim">
          {t(certificate === null ? 'tls.none' : certificate.selfSigned ? 'tls.own' : 'tls.given')}
        </p>
        {pendingRestart && <p className="small warn">{t('set.applies.restart')}</p>}
        {tls.failed !== null && <p className="small bad">{tls.failed}</p>}
        {certificate !== null && (
          <Facts
            facts={[
              [t('tls.names'), certificate.names.join(', ')],
              [t('tls.until'), certificate.endsAt.slice(0, 10)],
              ['SHA-256', certificate.fingerprint],
              [t('tls.file'), certificate.cert],
            ]}
          />
        )}
      </div>
      <div className="set-c">
        {entry?.locked === true ? (
          <span className="small dim">{entry.detail}</span>
        ) : (
          <>
            <Button small onClick={() => setAsking('create')}>
              {t('tls.create')}
            </Button>
            <Button small onClick={() => setAsking('import')}>
              {t('tls.import')}
            </Button>
            {certificate !== null && (
              <Button
                small
                onClick={() => void set(null).then(changed, (error) => toasts.fail(t.said(reasonOf(error))))}
              >
                {t('tls.off')}
              </Button>
            )}
          </>
        )}
      </div>
      <div className="set-s" />
      {asking === 'create' && (
        <Ask
          title={t('tls.create')}
          about={t('tls.createWhy')}
          fields={[t('tls.moreNames')]}
          onClose={() => setAsking(null)}
          work={async ([names = '']) => void (await client.commands.createCertificate({ names }))}
          onDone={changed}
        />
      )}
      {asking === 'import' && (
        <Ask
          title={t('tls.import')}
          about={t('tls.importWhy')}
          fields={[t('tls.cert'), t('tls.key')]}
          onClose={() => setAsking(null)}
          work={async ([cert = '', key = '']) => await set({ cert, key })}
          onDone={changed}
        />
      )}
    </section>
  )
}

/** A few texts, and something done with them; what is refused says so and loses nothing. */
function Ask({
  title,
  about,
  fields,
  work,
  onDone,
  onClose,
}: {
  title: string
  about: string
  fields: readonly string[]
  work: (typed: readonly string[]) => Promise<void>
  onDone: () => void
  onClose: () => void
}) {
  const t = useT()
  const [typed, setTyped] = useState<readonly string[]>(fields.map(() => ''))
  const [bad, setBad] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const go = (): void => {
    setBusy(true)
    setBad(null)
    work(typed.map((text) => text.trim())).then(onDone, (error) => {
      setBad(t.said(reasonOf(error)))
      setBusy(false)
    })
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>{t('verb.cancel')}</Button>
          <Button look="first" busy={busy} onClick={go}>
            {title}
          </Button>
        </>
      }
    >
      <p className="small dim">{about}</p>
      {fields.map((label, at) => (
        <Field
          key={label}
          label={label}
          value={typed[at] ?? ''}
          onChange={(text) => setTyped(typed.map((before, i) => (i === at ? text : before)))}
        />
      ))}
      {bad !== null && (
        <p className="small bad" role="alert">
          {bad}
        </p>
      )}
    </Dialog>
  )
}
