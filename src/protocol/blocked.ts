import { say } from './sentence.ts'

/** `host`: as a URL has it. An entry without a port is about all ports. */
export function isBlocked(host: string, blocked: readonly string[]): boolean {
  if (blocked.length === 0) return false
  const name = host.replace(/:\d+$/, '')
  const names = name === host ? [name, `${name}:443`, `${name}:80`] : [name, host]
  return blocked.some((entry) => names.includes(entry.toLowerCase()))
}

/** What a refusal says of a place that is blocked, and how it is let in again. */
export function blockWords(host: string): { cause: string; fix: string } {
  return {
    cause: say`Nothing is fetched from ${host}: it is blocked.`,
    fix: say`To let it in: lexora outbound allow ${host}`,
  }
}
