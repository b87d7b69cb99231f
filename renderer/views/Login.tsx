import { type FormEvent, useState } from 'react'
import type { CommandError } from '../../src/protocol/commands.ts'
import type { Problem } from '../../src/protocol/errors.ts'
import { Mark } from '../components/Icon.tsx'
import { Button } from '../components/kit.tsx'
import { type Translate, useT } from '../i18n/index.ts'
import type { Link } from '../lexora.ts'
import { useWorld } from '../stores.ts'

/** Nobody is signed in, so the core's own sentences are not there yet. */
function refusedWords({ code, message }: Problem, by: 'link' | 'key', t: Translate): string {
  if (code === 'invalid_api_key') return t(`login.wrong.${by}`)
  if (code === 'rate_limit_exceeded') return t('login.tooMany')
  return code === 'backend_unreachable' ? t('login.silent') : message
}

/** A browser without a session: the link of `lexora ui` opens it, or the admin key. */
export function Login({ link }: { link: Link & { is: 'signed-out' } }) {
  const t = useT()
  const { client } = useWorld()
  const [key, setKey] = useState('')
  const [told, setTold] = useState<Problem | null>(null)
  const [busy, setBusy] = useState(false)
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (client.signIn === null || key === '') return
    setBusy(true)
    setTold(null)
    await client.signIn(key).catch((error: CommandError) => setTold(error.problem))
    setBusy(false)
  }
  const problem = told !== null ? refusedWords(told, 'key', t) : link.told && refusedWords(link.told, 'link', t)
  return (
    <main className="door">
      <div className="login">
        <div className="login-brand">
          <Mark />
          <h1>{t('login.title')}</h1>
        </div>
        <p className="mid">{t('login.byLink', { command: 'lexora ui' })}</p>
        <form onSubmit={(event) => void send(event)} className="col login-form">
          <label htmlFor="key">{t('login.byKey')}</label>
          <div className="row">
            <div className={`field grow${told === null ? '' : ' is-bad'}`}>
              <input
                id="key"
                type="password"
                autoComplete="current-password"
                placeholder={t('login.key')}
                value={key}
                onChange={(event) => setKey(event.target.value)}
                aria-describedby={problem === null ? undefined : 'login-problem'}
              />
            </div>
            <Button type="submit" look="first" busy={busy}>
              {t('login.open')}
            </Button>
          </div>
        </form>
        {problem !== null && (
          <p id="login-problem" className="small bad" role="alert">
            {problem}
          </p>
        )}
      </div>
    </main>
  )
}
