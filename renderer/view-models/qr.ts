import type { ServerView } from '../../src/protocol/snapshot.ts'

/** The dark modules of a code as one path: a run of each row at a time. */
export function pathOfModules(rows: readonly (readonly boolean[])[]): string {
  return rows
    .flatMap((row, y) => {
      const runs: string[] = []
      for (let x = 0; x < row.length; x++) {
        if (!row[x]) continue
        const from = x
        while (row[x + 1]) x++
        runs.push(`M${from} ${y}h${x - from + 1}v1h-${x - from + 1}z`)
      }
      return runs
    })
    .join('')
}

/** Addresses that another device can use; none while only this machine reaches it. */
export function placesForPhones({ address, network }: Pick<ServerView, 'address' | 'network'>): string[] {
  const { protocol } = new URL(address)
  return network.map((place) => `${protocol}//${place}`)
}

/** What a phone needs to connect, as lines to copy; the key alone while no address of ours leads here from a phone. */
export function keyForPhone(place: string | null, secret: string): string {
  return place === null ? secret : `${place}/v1\n${secret}`
}
