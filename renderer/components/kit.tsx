import { Dialog as BaseDialog } from '@base-ui/react/dialog'
import { Menu as BaseMenu } from '@base-ui/react/menu'
import { Popover as BasePopover } from '@base-ui/react/popover'
import { Radio } from '@base-ui/react/radio'
import { RadioGroup } from '@base-ui/react/radio-group'
import { Select as BaseSelect } from '@base-ui/react/select'
import { Switch as BaseSwitch } from '@base-ui/react/switch'
import { type ReactNode, useEffect, useState } from 'react'
import { AxisMark, Icon, type IconName, Spinner, StateMark } from './Icon.tsx'

/** Behaviour comes from the kit, looks from the tokens. These components know no words of Lexora. */

type ButtonProps = {
  children: ReactNode
  onClick?: (() => void) | undefined
  look?: 'plain' | 'first' | 'danger' | 'quiet'
  small?: boolean
  disabled?: boolean
  /** Shows what is under way; its width stays. */
  busy?: boolean
  title?: string | undefined
  type?: 'button' | 'submit'
  /** The id of the form that it sends, where it stands outside of it. */
  form?: string
}

export function Button({
  children,
  onClick,
  look = 'plain',
  small,
  disabled,
  busy,
  title,
  type = 'button',
  form,
}: ButtonProps) {
  const names = ['btn', look === 'plain' ? '' : `btn-${look}`, small ? 'btn-small' : ''].filter(Boolean).join(' ')
  return (
    <button
      type={type}
      form={form}
      className={names}
      onClick={onClick}
      disabled={disabled || busy}
      title={title}
      aria-busy={busy}
    >
      {busy && <Spinner />}
      {children}
    </button>
  )
}

export function IconButton({
  icon,
  label,
  onClick,
  small = true,
  disabled = false,
}: {
  icon: IconName
  label: string
  onClick: () => void
  small?: boolean
  /** It does nothing now, and keeps the focus. */
  disabled?: boolean
}) {
  return (
    <button
      type="button"
      className={`btn btn-quiet btn-icon${small ? ' btn-small' : ''}`}
      aria-label={label}
      title={label}
      aria-disabled={disabled || undefined}
      onClick={disabled ? undefined : onClick}
    >
      <Icon name={icon} />
    </button>
  )
}

/** Only for what cannot be undone, for what must be read, and for the lists that a key opens. */
export function Dialog({
  open,
  onClose,
  title,
  children,
  footer,
  wide,
}: {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  footer?: ReactNode
  wide?: boolean
}) {
  return (
    <BaseDialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop className="scrim" />
        <BaseDialog.Popup className={`dialog dialog-at${wide ? ' dialog-wide' : ''}`}>
          <header>
            <BaseDialog.Title>{title}</BaseDialog.Title>
          </header>
          <div className="dialog-body">{children}</div>
          {footer !== undefined && <footer>{footer}</footer>}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  )
}

export type MenuEntry =
  | { label: string; onClick: () => void; checked?: boolean; disabled?: boolean; hint?: string }
  | 'line'

export function Menu({
  label,
  trigger,
  className = 'btn btn-quiet btn-small',
  entries,
}: {
  label: string
  trigger: ReactNode
  className?: string
  entries: readonly MenuEntry[]
}) {
  return (
    <BaseMenu.Root>
      <BaseMenu.Trigger className={className} aria-label={label} title={label}>
        {trigger}
      </BaseMenu.Trigger>
      <BaseMenu.Portal>
        <BaseMenu.Positioner sideOffset={4} align="end" className="over">
          <BaseMenu.Popup className="menu">
            {entries.map((entry, i) =>
              entry === 'line' ? (
                // biome-ignore lint/suspicious/noArrayIndexKey: a line has no name
                <hr key={i} />
              ) : (
                <BaseMenu.Item
                  key={entry.label}
                  onClick={entry.onClick}
                  disabled={entry.disabled ?? false}
                  closeOnClick={entry.checked === undefined}
                >
                  <span>{entry.label}</span>
                  {entry.hint !== undefined && <span className="dim micro">{entry.hint}</span>}
                  {entry.checked === true && <Icon name="check" />}
                </BaseMenu.Item>
              ),
            )}
          </BaseMenu.Popup>
        </BaseMenu.Positioner>
      </BaseMenu.Portal>
    </BaseMenu.Root>
  )
}

export function Popover({
  trigger,
  className,
  title,
  children,
}: {
  trigger: ReactNode
  className: string
  title: string
  children: ReactNode
}) {
  return (
    <BasePopover.Root>
      <BasePopover.Trigger className={className}>{trigger}</BasePopover.Trigger>
      <BasePopover.Portal>
        <BasePopover.Positioner sideOffset={4} align="start" className="over">
          <BasePopover.Popup className="dialog popover">
            <div>
              <BasePopover.Title>{title}</BasePopover.Title>
              {children}
            </div>
          </BasePopover.Popup>
        </BasePopover.Positioner>
      </BasePopover.Portal>
    </BasePopover.Root>
  )
}

export function Select({
  label,
  value,
  options,
  onChange,
  prefix,
  grow,
}: {
  label: string
  value: string
  options: readonly { value: string; label: string }[]
  onChange: (value: string) => void
  prefix?: string
  grow?: boolean
}) {
  return (
    <BaseSelect.Root items={[...options]} value={value} onValueChange={(next) => next !== null && onChange(next)}>
      <BaseSelect.Trigger className={`field select field-small${grow ? ' grow' : ''}`} aria-label={label}>
        <span className="small clip">
          {prefix !== undefined && <span className="dim">{prefix} </span>}
          <BaseSelect.Value />
        </span>
        <Icon name="down" />
      </BaseSelect.Trigger>
      <BaseSelect.Portal>
        <BaseSelect.Positioner sideOffset={4} alignItemWithTrigger={false} className="over">
          <BaseSelect.Popup className="menu">
            <BaseSelect.List className="menu-list">
              {options.map((option) => (
                <BaseSelect.Item key={option.value} value={option.value} className="menu-item">
                  <BaseSelect.ItemText>{option.label}</BaseSelect.ItemText>
                  {option.value === value && <Icon name="check" />}
                </BaseSelect.Item>
              ))}
            </BaseSelect.List>
          </BaseSelect.Popup>
        </BaseSelect.Positioner>
      </BaseSelect.Portal>
    </BaseSelect.Root>
  )
}

export function Segmented<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Value
  options: readonly { value: Value; label: string }[]
  onChange: (value: Value) => void
}) {
  return (
    <RadioGroup className="seg" aria-label={label} value={value} onValueChange={(next) => onChange(next as Value)}>
      {options.map((option) => (
        <Radio.Root key={option.value} value={option.value} className="seg-item">
          {option.label}
        </Radio.Root>
      ))}
    </RadioGroup>
  )
}

export function Switch({
  label,
  checked,
  onChange,
  disabled = false,
}: {
  label: string
  checked: boolean
  onChange: (checked: boolean) => void
  disabled?: boolean
}) {
  return (
    <BaseSwitch.Root
      className="switch"
      aria-label={label}
      checked={checked}
      disabled={disabled}
      onCheckedChange={onChange}
    />
  )
}

export function Empty({
  title,
  children,
  actions,
  bad,
}: {
  title: string
  children?: ReactNode
  actions?: ReactNode
  bad?: boolean
}) {
  return (
    <div className="empty" role={bad ? 'alert' : undefined}>
      {bad ? <StateMark shape="failed" large /> : <AxisMark />}
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      {actions !== undefined && <div className="row">{actions}</div>}
    </div>
  )
}

export function Banner({
  look,
  children,
  actions,
}: {
  look: 'warn' | 'bad' | 'info'
  children: ReactNode
  actions?: ReactNode
}) {
  const shape = look === 'warn' ? 'degraded' : look === 'bad' ? 'failed' : 'starting'
  return (
    <div className={`banner banner-${look}`} role={look === 'bad' ? 'alert' : 'status'}>
      <StateMark shape={shape} />
      <span className="grow">{children}</span>
      {actions}
    </div>
  )
}

/** Grey rows of the height of the real ones, after 300 ms: what comes sooner should not flicker. */
export function Skeleton({
  rows,
  height = 28,
  widths = [12, 10, 16, 8, 8],
}: {
  rows: number
  height?: number
  widths?: readonly number[]
}) {
  const late = useLate(300)
  return (
    <div className="skeleton" aria-hidden="true" style={{ minHeight: rows * height }}>
      {late &&
        Array.from({ length: rows }, (_, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows without content
          <div key={row} className="row" style={{ height }}>
            {widths.map((width, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: cells without content
              <span key={i} className="skel" style={{ width: `${width}%` }} />
            ))}
          </div>
        ))}
    </div>
  )
}

export function useLate(ms: number): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(timer)
  }, [ms])
  return late
}

/** A list of facts; what is null is left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode] | null)[] }) {
  return (
    <dl className="kv">
      {facts.map(
        (fact) =>
          fact !== null && (
            <div key={fact[0]} className="kv-row">
              <dt>{fact[0]}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  )
}
