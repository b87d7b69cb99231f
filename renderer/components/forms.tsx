import { Tabs } from '@base-ui/react/tabs'
import { type CSSProperties, type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from 'react'
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

/** `onDone`: the knob was let go. Arrows go one step, PageUp and PageDown ten. */
export function Slide({
  label,
  value,
  min,
  max,
  step,
  shown,
  text,
  onChange,
  onDone,
}: {
  label: string
  value: number
  min: number
  max: number
  step: number
  shown: ReactNode
  /** What `shown` says, for readers of screens. */
  text: string
  onChange: (value: number) => void
  onDone?: (value: number) => void
}) {
  const share = max === min ? 0 : (value - min) / (max - min)
  const onKey = (event: KeyboardEvent<HTMLInputElement>): void => {
    const tens = { PageUp: 10, PageDown: -10 }[event.key]
    if (tens === undefined) return
    event.preventDefault()
    onChange(Math.min(max, Math.max(min, value + tens * step)))
  }
  const done = (event: { currentTarget: HTMLInputElement }): void => onDone?.(Number(event.currentTarget.value))
  return (
    <label className="slide">
      <span className="mid">{label}</span>
      <input
        type="range"
        className="range"
        style={{ '--share': `${share * 100}%` } as CSSProperties}
        aria-label={label}
        aria-valuetext={text}
        min={min}
        max={max}
        step={step}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
        onKeyDown={onKey}
        onKeyUp={done}
        onPointerUp={done}
      />
      <span className="num">{shown}</span>
    </label>
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
  const onKey = (event: globalThis.KeyboardEvent): void => {
    const types = event.target instanceof Element && event.target.closest('input, textarea') !== null
    if (event.key === 'Escape' && !event.defaultPrevented) onClose()
    if (types) return
    if (event.key === '[') onStep?.(-1)
    if (event.key === ']') onStep?.(1)
  }
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    const listen = (event: Event): void => latest.current(event as globalThis.KeyboardEvent)
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
    <span className="meter grow" role="img" aria-label={`${label}: ${Math.round((share ?? 0) * 100)} %`}>
      <i className={look} style={{ width: `${Math.min(1, share ?? 0) * 100}%` }} />
    </span>
  )
}
