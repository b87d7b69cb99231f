import { spawn } from 'node:child_process'
import type { Environment } from '../../config/environment.ts'

/** Tells the manager of a service how it goes; where none listens it says nothing. */
export type ServiceNotify = {
  ready(status: string): void
  reloading(): void
  stopping(): void
  close(): void
}

/** Hands variables to the manager; tests have their own. */
export type Send = (variables: readonly string[]) => void

const SILENT: ServiceNotify = { ready: () => {}, reloading: () => {}, stopping: () => {}, close: () => {} }

/**
 * sd_notify(3) by way of `systemd-notify`, since Node has no datagram sockets of that family. The sign of life is sent by
 * a timer of this very event loop: one that stands still is seen, and the service is started again.
 */
export function serviceNotify(env: Environment, pid: number, send: Send = throughProgram(env)): ServiceNotify {
  if (!env.NOTIFY_SOCKET) return SILENT
  const every = watchdogMs(env, pid)
  const timer = every === null ? null : setInterval(() => send(['WATCHDOG=1']), every).unref()
  return {
    ready: (status) => send(['READY=1', `MAINPID=${pid}`, `STATUS=${status}`]),
    reloading: () => send(['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]),
    stopping: () => send(['STOPPING=1']),
    close: () => {
      if (timer !== null) clearInterval(timer)
    },
  }
}

/** Half of the time that the manager waits; null where it does not, or not for us. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, pid: number): number | null {
  const micros = Number(WATCHDOG_USEC)
  if (!(micros > 0) || (WATCHDOG_PID && Number(WATCHDOG_PID) !== pid)) return null
  return Math.max(100, micros / 2000)
}

function throughProgram(env: Environment): Send {
  return (variables) => {
    const child = spawn('systemd-notify', [...variables], { env: { ...env }, stdio: 'ignore' })
    // Without it the manager waits for READY in vain and says so itself.
    child.on('error', () => {})
    child.unref()
  }
}
