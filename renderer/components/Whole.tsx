import { Component, type ReactNode } from 'react'
import { useT } from '../i18n/index.ts'
import { Button, Empty } from './kit.tsx'

type Caught = { error: Error | null }

/** A screen that cannot be drawn says so, and the rest of the window goes on. */
export class Whole extends Component<{ children: ReactNode }, Caught> {
  override state: Caught = { error: null }

  static getDerivedStateFromError(error: Error): Caught {
    return { error }
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <Broken error={this.state.error} />
  }
}

function Broken({ error }: { error: Error }) {
  const t = useT()
  return (
    <Empty
      bad
      title={t('error.screen')}
      actions={<Button onClick={() => location.reload()}>{t('error.reload')}</Button>}
    >
      {t('error.screenWhy', { reason: error.message })}
    </Empty>
  )
}
