/**
 * Azure OpenAI's two URL forms: `/openai/v1/…`, and where `api_version` is set the older deployment URLs, in which the
 * mapped model names the deployment (Azure OpenAI REST reference).
 */
export function azurePath(path: string, deployment: string | null, apiVersion: string | null): string {
  const rest = path.replace(/^\/v1/, '')
  if (apiVersion === null) return `/openai/v1${rest}`
  return `/openai/deployments/${encodeURIComponent(deployment ?? '')}${rest}?api-version=${encodeURIComponent(apiVersion)}`
}
