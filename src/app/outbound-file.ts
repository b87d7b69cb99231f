import { readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { OutboundLines } from '../protocol/outbound.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'

/** What a power cut may cost. */
const EVERY_MS = 300_000

const bytes = z.number().min(0).nullable()
const time = z.iso.datetime()
const shape = z.object({
  since: time,
  rows: z
    .array(
      z.object({
        host: z.string().max(300),
        purpose: z.enum(['backend', 'hub', 'updates', 'packages']),
        firstAt: time,
        lastAt: time,
        count: z.int().min(0),
        sent: bytes,
        received: bytes,
      }),
    )
    .max(1000),
})

/** Keeps the list of outbound connections over restarts. Without its file the list begins anew. */
export class OutboundFile {
  private readonly path: string
  private readonly ledger: OutboundLedger
  private readonly log: Pick<Logger, 'warn'>
  private readonly timer: NodeJS.Timeout
  private written = ''
  private writing: Promise<void> = Promise.resolve()

  constructor(path: string, ledger: OutboundLedger, log: Pick<Logger, 'warn'>) {
    this.path = path
    this.ledger = ledger
    this.log = log
    const earlier = this.read()
    if (earlier !== null) ledger.resume(earlier)
    this.timer = setInterval(() => void this.save(), EVERY_MS)
    this.timer.unref()
  }

  /** Writes what has changed since the last time. */
  save(): Promise<void> {
    this.writing = this.writing.then(async () => await this.write())
    return this.writing
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.save()
  }

  private read(): OutboundLines | null {
    try {
      const text = readFileSync(this.path, 'utf8')
      return shape.parse(JSON.parse(text))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.log.warn('the list of outbound connections cannot be read and begins anew', { path: this.path })
      return null
    }
  }

  private async write(): Promise<void> {
    const text = JSON.stringify(this.ledger.report())
    if (text === this.written) return
    const beside = `${this.path}.new`
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
      await writeFile(beside, text, { mode: 0o600, flush: true })
      await rename(beside, this.path)
      this.written = text
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {})
      this.log.warn('the list of outbound connections cannot be kept', { reason: (error as Error).message })
    }
  }
}
