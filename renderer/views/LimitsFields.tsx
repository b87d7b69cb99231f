import { Field, Labelled } from '../components/forms.tsx'
import { Select, Switch } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { badFields, type LimitsForm } from '../view-models/people.ts'

const BANDS = ['', 'high', 'normal', 'low'] as const

/** The limits of one user, as a form. */
export function LimitsFields({ form, onChange }: { form: LimitsForm; onChange: (form: LimitsForm) => void }) {
  const t = useT()
  const bad = badFields(form)
  const set = (changes: Partial<LimitsForm>): void => onChange({ ...form, ...changes })
  const numeral = (name: (typeof bad)[number], unit: string) => (
    <Field
      label={t(`limits.${name}`)}
      value={form[name]}
      {...(unit === '' ? {} : { unit })}
      numeric
      placeholder={t(name === 'weight' ? 'limits.plainWeight' : 'limits.common')}
      bad={bad.includes(name) ? t('limits.bad') : null}
      onChange={(value) => set({ [name]: value })}
    />
  )
  return (
    <div className="form-grid">
      {numeral('requests_per_minute', t('unit.perMinute'))}
      {numeral('tokens_per_minute', t('unit.tokPerMinute'))}
      {numeral('max_concurrent', t('unit.requests'))}
      {numeral('daily_tokens', t('unit.tokPerDay'))}
      <Labelled label={t('limits.max_priority')}>
        <Select
          grow
          label={t('limits.max_priority')}
          value={form.max_priority}
          options={BANDS.map((value) => ({ value, label: t(`band.${value === '' ? 'any' : value}`) }))}
          onChange={(value) => set({ max_priority: value as LimitsForm['max_priority'] })}
        />
      </Labelled>
      {numeral('weight', '')}
      <div className="form-wide">
        <Field
          label={t('limits.models')}
          value={form.models}
          placeholder={t('users.allModels')}
          hint={t('limits.modelsHint')}
          onChange={(models) => set({ models })}
        />
      </div>
      <div className="form-wide row">
        <Switch
          label={t('limits.allow_remote')}
          checked={form.allow_remote}
          onChange={(allow_remote) => set({ allow_remote })}
        />
        <span>{t('limits.allow_remote')}</span>
      </div>
    </div>
  )
}
