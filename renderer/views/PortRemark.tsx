import { useEffect, useState } from 'react'
import { useAsked } from '../asked.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { portTyped, portWords } from '../view-models/lan.ts'

/** Long enough to type the next digit. */
const TYPING_MS = 400

/** Who has the port that is typed, as Lexora's own machine sees it. Nothing is asked of what is no port. */
export function PortRemark({ typed }: { typed: string }) {
  const t = useT()
  const { client } = useWorld()
  const wanted = portTyped(typed)
  const [port, setPort] = useState(wanted)
  useEffect(() => {
    const timer = setTimeout(() => setPort(wanted), TYPING_MS)
    return () => clearTimeout(timer)
  }, [wanted])
  const { value } = useAsked(async () => (port === null ? null : await client.commands.checkPort({ port })), {
    everyMs: 5000,
    key: String(port),
  })
  if (value === null || value.port !== wanted) return null
  return <span className={`remark small ${value.state === 'used' ? 'warn' : 'dim'}`}>{t(...portWords(value))}</span>
}
