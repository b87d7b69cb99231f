/** What was answered when a path was asked for through one address; a text says why nothing was. */
export type Answer = number | string

export type LanAddress = {
  address: string
  interface: string
  /** Who may come from there. */
  reach: 'this machine' | 'containers' | 'the network'
  /** By path, without a key. */
  open: Record<string, Answer>
  /** With the key that was given: `/v1/models`; null where none was. */
  withKey: Answer | null
}

export type LanReport = { port: number; addresses: LanAddress[]; advice: string[] }
