import { Autocomplete } from '@base-ui/react/autocomplete'
import { Dialog } from '@base-ui/react/dialog'
import { press, useActions, useCopy } from '../actions.ts'
import { LANGUAGES, type Language, useT } from '../i18n/index.ts'
import { type Density, prefer, type Theme } from '../preferences.ts'
import { goTo } from '../route.ts'
import { SCREENS } from '../screens.tsx'
import { useSnapshot } from '../stores.ts'
import { useQuit } from '../use-quit.ts'
import { verbWords } from '../view-models/frame.ts'
import { VIEW_TITLES } from '../view-models/request-views.ts'

type Command = { label: string; run: () => void }

/** Every command of the window by its name. */
export function Palette({
  onClose,
  onOverlay,
  onTryIt,
}: {
  onClose: () => void
  onOverlay: (overlay: 'keys' | 'diagnostics' | 'free-gpu') => void
  onTryIt: () => void
}) {
  const t = useT()
  const commands = useCommands({ onOverlay, onTryIt })
  const run = (label: string): void => {
    const command = commands.find((entry) => entry.label === label)
    if (command === undefined) return
    onClose()
    command.run()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="scrim" />
        <Dialog.Popup className="dialog dialog-at palette" aria-label={t('palette.title')}>
          <Autocomplete.Root open inline items={commands.map(({ label }) => label)} autoHighlight="always">
            <div className="field palette-field">
              <Autocomplete.Input placeholder={t('palette.placeholder')} aria-label={t('palette.placeholder')} />
            </div>
            <Autocomplete.Empty className="palette-empty small dim">{t('palette.empty')}</Autocomplete.Empty>
            <Autocomplete.List className="menu-list palette-list">
              {(label: string) => (
                <Autocomplete.Item key={label} value={label} className="menu-item" onClick={() => run(label)}>
                  {label}
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function useCommands({
  onOverlay,
  onTryIt,
}: {
  onOverlay: (overlay: 'keys' | 'diagnostics' | 'free-gpu') => void
  onTryIt: () => void
}): Command[] {
  const t = useT()
  const snapshot = useSnapshot()
  const actions = useActions()
  const copy = useCopy()
  const end = useQuit()
  const { verb, words } = verbWords(snapshot, t)
  const { state, address } = snapshot.server
  const themes: Theme[] = ['system', 'light', 'dark']
  const densities: Density[] = ['normal', 'roomy']
  return [
    ...SCREENS.map(({ id, title }) => ({ label: t('palette.goTo', { screen: t(title) }), run: () => goTo(id) })),
    ...(['live', 'history', 'engine-log', 'gateway-log'] as const).map((path) => ({
      label: t('palette.goTo', { screen: t(VIEW_TITLES[path]) }),
      run: () => goTo('requests', path),
    })),
    ...(verb.do === 'none' ? [] : [{ label: words, run: () => press(verb, actions, () => goTo('dashboard')) }]),
    ...(state === 'paused' || verb.do === 'resume'
      ? []
      : [{ label: t('verb.pause'), run: () => void actions.pause() }]),
    { label: t('nav.tryIt'), run: onTryIt },
    { label: t('palette.copyAddress'), run: () => copy(address, t('done.copiedAddress')) },
    { label: t('verb.freeGpu'), run: () => onOverlay('free-gpu') },
    { label: t('verb.diagnostics'), run: () => onOverlay('diagnostics') },
    { label: t('nav.help'), run: () => onOverlay('keys') },
    ...(end === null ? [] : [{ label: end.label, run: end.quit }]),
    ...themes.map((theme) => ({
      label: t('palette.themeIs', { value: t(`theme.${theme}`) }),
      run: () => prefer({ theme }),
    })),
    ...(Object.keys(LANGUAGES) as Language[]).map((language) => ({
      label: t('palette.languageIs', { value: LANGUAGES[language] }),
      run: () => prefer({ language }),
    })),
    ...densities.map((density) => ({
      label: t('palette.densityIs', { value: t(`density.${density}`) }),
      run: () => prefer({ density }),
    })),
  ]
}
