import { Toast } from '@base-ui/react/toast'
import { Icon } from '../components/Icon.tsx'
import { useT } from '../i18n/index.ts'

export function ToastList() {
  const t = useT()
  const { toasts } = Toast.useToastManager()
  return (
    <Toast.Portal>
      <Toast.Viewport className="toasts">
        {toasts.map((toast) => (
          <Toast.Root key={toast.id} toast={toast} className={`toast${toast.type === 'bad' ? ' toast-bad' : ''}`}>
            <Toast.Content className="row">
              <Toast.Title className="grow" render={<div />}>
                {toast.description}
              </Toast.Title>
              <Toast.Close className="btn btn-quiet btn-icon btn-small" aria-label={t('verb.close')}>
                <Icon name="close" />
              </Toast.Close>
            </Toast.Content>
          </Toast.Root>
        ))}
      </Toast.Viewport>
    </Toast.Portal>
  )
}
