import { Meter as BaseMeter } from '@base-ui/react/meter'
import { Slider as BaseSlider } from '@base-ui/react/slider'
import { Tabs } from '@base-ui/react/tabs'
import { type ReactNode, useEffect, useId, useRef } from 'react'
import { Icon } from './Icon.tsx'
import { Button, Dialog, IconButton } from './kit.tsx'

/** Parts of forms and drawers. They know no words of Lexora. */

export function Field({
  label,
  value,
  onChange,
  hint,
  bad,
  unit,
  placeholder,
  numeric,
  secret,
  filter,
  hideLabel,
  disabled,
}: {
  label: string
  value: string
  onChange: (value: string) => void
  /** What it does; stands below. */
  hint?: string | undefined
  /** What is wrong with it; takes the hint's place. */
  bad?: string | null | undefined
  unit?: string
  placeholder?: string
  numeric?: boolean
  secret?: boolean
  /** Ctrl+F leads here. */
  filter?: boolean
  hideLabel?: boolean
  disabled?: boolean
}) {
  const id = useId()
  const note = bad ?? hint
  return (
    <div className="form-row">
      {!hideLabel && <label htmlFor={id}>{label}</label>}
      <div className="row">
        <div className={`field grow${bad ? ' is-bad' : ''}${disabled ? ' is-off' : ''}`}>
          {filter && <Icon name="search" />}
          <input
            id={id}
            type={secret ? 'password' : 'text'}
            inputMode={numeric ? 'decimal' : 'text'}
            autoComplete="off"
            spellCheck={false}
            aria-label={hideLabel ? label : undefined}
            aria-invalid={bad ? true : undefined}
            aria-describedby={note ? `${id}-note` : undefined}
            data-filter={filter ? '' : undefined}
            placeholder={placeholder ?? (hideLabel ? label : undefined)}
            value={value}
            disabled={disabled}
            onChange={(event) => onChange(event.target.value)}
          />
        </div>
        {unit !== undefined && <span className="small dim nowrap">{unit}</span>}
      </div>
      {note && (
        <p id={`${id}-note`} className={`field-note${bad ? ' bad' : ''}`} role={bad ? 'alert' : undefined}>
          {note}
        </p>
      )}
    </div>
  )
}

export function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="form-row">
      <span className="form-label">{label}</span>
      {children}
    </div>
  )
}

/** `onDone`: the knob was let go. */
export function Slide({
  label,
  value,
  min,
  max,
  step,
  shown,
  onChange,
  onDone,
}: {
  label: string
  value: number
  min: number
  max: number
  step: number
  shown: ReactNode
  onChange: (value: number) => void
  onDone?: (value: number) => void
}) {
  const first = (next: number | readonly number[]): number => (typeof next === 'number' ? next : next[0]!)
  return (
    <BaseSlider.Root
      className="slide"
      value={value}
      min={min}
      max={max}
      step={step}
      largeStep={step * 10}
      onValueChange={(next) => onChange(first(next))}
      onValueCommitted={(next) => onDone?.(first(next))}
    >
      <span className="mid">{label}</span>
      <BaseSlider.Control className="slide-control">
        <BaseSlider.Track className="rail">
          <BaseSlider.Indicator render={<i />} />
          <BaseSlider.Thumb render={<b />} aria-label={label} />
        </BaseSlider.Track>
      </BaseSlider.Control>
      <span className="num">{shown}</span>
    </BaseSlider.Root>
  )
}

/** Asks before what cannot be undone. The safe choice has the focus. */
export function Confirm({
  title,
  children,
  verb,
  cancel,
  onYes,
  onNo,
  busy,
}: {
  title: string
  children: ReactNode
  verb: string
  cancel: string
  onYes: () => void
  onNo: () => void
  busy?: boolean
}) {
  return (
    <Dialog
      open
      onClose={onNo}
      title={title}
      footer={
        <>
          <Button onClick={onNo}>{cancel}</Button>
          <Button look="danger" onClick={onYes} busy={busy ?? false}>
            {verb}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  )
}

/** Beside a list, whose rows it follows. Escape closes it, [ and ] step. */
export function Drawer({
  label,
  title,
  side,
  close,
  onClose,
  onStep,
  children,
}: {
  label: string
  title: ReactNode
  side?: ReactNode
  close: string
  onClose: () => void
  onStep?: (by: number) => void
  children: ReactNode
}) {
  const panel = useRef<HTMLElement>(null)
  const onKey = (event: KeyboardEvent): void => {
    const types = event.target instanceof Element && event.target.closest('input, textarea, [role="slider"]') !== null
    if (event.key === 'Escape' && !event.defaultPrevented) onClose()
    if (types) return
    if (event.key === '[') onStep?.(-1)
    if (event.key === ']') onStep?.(1)
  }
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    const listen = (event: Event): void => latest.current(event as KeyboardEvent)
    const main = panel.current?.closest('.main')
    main?.addEventListener('keydown', listen)
    return () => main?.removeEventListener('keydown', listen)
  }, [])
  return (
    <aside ref={panel} className="drawer" aria-label={label} data-region="">
      <div className="drawer-head">
        <h2 className="clip name">{title}</h2>
        <span className="grow" />
        {side}
        <IconButton icon="close" label={close} onClick={onClose} />
      </div>
      {children}
    </aside>
  )
}

export function TabBar<Name extends string>({
  label,
  value,
  tabs,
  onChange,
  children,
}: {
  label: string
  value: Name
  tabs: readonly { value: Name; label: string }[]
  onChange: (value: Name) => void
  children: ReactNode
}) {
  return (
    <Tabs.Root className="fill-col" value={value} onValueChange={(next: Name) => onChange(next)}>
      <div className="tabs tabs-bar">
        <Tabs.List className="tabs-list" activateOnFocus aria-label={label}>
          {tabs.map((tab) => (
            <Tabs.Tab key={tab.value} value={tab.value}>
              {tab.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
      </div>
      <Tabs.Panel value={value} className="drawer-body" tabIndex={-1}>
        {children}
      </Tabs.Panel>
    </Tabs.Root>
  )
}

/** A share of a limit, 0 to 1; from 0.9 on it looks so. */
export function Meter({ share, label }: { share: number | null; label: string }) {
  const look = share === null ? '' : share >= 1 ? 'is-full' : share >= 0.9 ? 'is-near' : ''
  return (
    <BaseMeter.Root className="meter grow" aria-label={label} value={Math.round(Math.min(1, share ?? 0) * 100)}>
      <BaseMeter.Indicator render={<i className={look} />} />
    </BaseMeter.Root>
  )
}
