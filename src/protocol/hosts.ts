/** Whether a host can be reached from this machine only. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare)
}

/** Whether a host stands for every address of this machine. */
export function isEveryHost(host: string): boolean {
  return ['0.0.0.0', '::', '[::]'].includes(host)
}
