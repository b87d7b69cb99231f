import { mayLeadTo } from '../../src/protocol/outward.ts'
import { useCopy } from '../actions.ts'
import { Button } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { linkPieces } from '../view-models/remedy.ts'

/** Whether a link can be followed from here: the desktop app opens only those to places that Lexora itself names. */
function useLeads(): (url: string) => boolean {
  const { client } = useWorld()
  return (url) => client.platform === null || mayLeadTo(url)
}

/** A page elsewhere; where it cannot be opened, its address is copied. */
export function Page({ url, look }: { url: string; look: 'first' | 'plain' }) {
  const t = useT()
  const copy = useCopy()
  const leads = useLeads()
  if (!leads(url))
    return (
      <Button look={look} title={url} onClick={() => copy(url)}>
        {t('fail.licenceCopy')}
      </Button>
    )
  return (
    <a className={look === 'first' ? 'btn btn-first' : 'btn'} href={url} target="_blank" rel="noreferrer">
      {t('fail.licence')}
    </a>
  )
}

/** Addresses in a sentence can be followed, or be copied. */
export function Linked({ text }: { text: string }) {
  const copy = useCopy()
  const leads = useLeads()
  return linkPieces(text).map(({ text: piece, url }) =>
    url === null ? (
      piece
    ) : leads(url) ? (
      <a key={url} className="link" href={url} target="_blank" rel="noreferrer">
        {url}
      </a>
    ) : (
      <button key={url} type="button" className="link" onClick={() => copy(url)}>
        {url}
      </button>
    ),
  )
}
