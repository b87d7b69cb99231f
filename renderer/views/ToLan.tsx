import { useAsked } from '../asked.ts'
import { useWorld } from '../stores.ts'
import { LanDoor } from './LanDoor.tsx'

/** The door to the network, with the configuration that it needs. */
export function ToLan() {
  const { client } = useWorld()
  const { value, again } = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000 })
  return value === null ? null : <LanDoor config={value} onChanged={() => void again()} />
}
