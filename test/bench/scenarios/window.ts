/** The window in a real Chromium: how soon it shows something, how it bears a flood of events, what opening it often leaves behind. */
import { existsSync, readdirSync } from 'node:fs'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, CDPSession, Page } from 'playwright-core'
import {
  dropHome,
  LARGE,
  openBrowser,
  openContext,
  openWindow,
  routed,
  type Server,
  startLexora,
} from '../../desktop/rig.ts'
import { startFakeVllm } from '../../support/fake-vllm/server.ts'
import { lexoraIsBuilt } from '../lexora-process.ts'
import { type Bench, type Measured, pause } from '../measure.ts'
import { median } from '../numbers.ts'

const EVENTS_PER_SECOND = 1000
const LOOK = { ...LARGE, theme: 'light' } as const

export async function windowScenario({ settings }: Bench): Promise<Measured> {
  if (!lexoraIsBuilt()) return { rows: [], notes: [] }
  if (!existsSync(process.env['CHROMIUM'] ?? '/usr/bin/chromium')) return { rows: [], notes: ['there is no Chromium'] }
  const openings = settings.rounds > 2 ? 200 : 40
  const fake = await startFakeVllm({ tokenMs: 20, models: ['tiny'] })
  const server = await startLexora(routed({ main: fake }))
  const browser = await openBrowser()
  try {
    const paintMs = await firstPaint(browser, server, 2 * settings.rounds)
    const flood = await underFlood(browser, server, 5_000)
    const left = await openedOften(browser, server, openings)
    const figures = { paintMs, ...flood, ...left }
    return {
      rows: [{ target: 'lexora', figures }],
      notes: [
        `${EVENTS_PER_SECOND} snapshots a second for 5 s; ${openings} times opened, ${openings} times from screen to screen`,
      ],
    }
  } finally {
    await browser.close()
    await server.stop()
    await fake.close()
    dropHome(server.home)
  }
}

/** From the start of the navigation until the sentence that says what is served stands there; the cache is empty. */
async function firstPaint(browser: Browser, server: Server, times: number): Promise<number> {
  const taken: number[] = []
  for (let i = 0; i < times; i++) {
    const context = await openContext(browser, LOOK)
    await context.addInitScript(() => {
      const look = (): void => {
        if (document.querySelector('.verdict h1') === null) return void requestAnimationFrame(look)
        requestAnimationFrame(() => {
          ;(window as unknown as { shownAt: number }).shownAt = performance.now()
        })
      }
      look()
    })
    const page = await openWindow(context, server)
    await page.waitForFunction(() => 'shownAt' in window)
    taken.push(await page.evaluate(() => (window as unknown as { shownAt: number }).shownAt))
    await context.close()
  }
  return median(taken)
}

/** Frames a second of the dashboard while every event is another snapshot; `seen`: how many came to the page's network. */
async function underFlood(
  browser: Browser,
  server: Server,
  ms: number,
): Promise<{ fps: number; longestFrameMs: number }> {
  const flood = await floodgate(server.port)
  const context = await openContext(browser, LOOK)
  try {
    const page = await context.newPage()
    await page.goto((await server.commands.uiLink()).url.replace(`:${server.port}`, `:${flood.port}`))
    await page.locator('.verdict h1').waitFor()
    await pause(2_000)
    const { frames, longest } = await page.evaluate(async (ms) => {
      const begun = performance.now()
      let [frames, longest, last] = [0, 0, begun]
      while (performance.now() - begun < ms) {
        await new Promise((resolve) => requestAnimationFrame(resolve))
        const now = performance.now()
        longest = Math.max(longest, now - last)
        last = now
        frames++
      }
      return { frames, longest }
    }, ms)
    return { fps: (frames * 1000) / ms, longestFrameMs: longest }
  } finally {
    await context.close()
    await flood.close()
  }
}

/** Passes everything on, but repeats each snapshot with other numbers, a thousand times a second. */
async function floodgate(to: number): Promise<{ port: number; close: () => Promise<void> }> {
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer((near, answer) => {
    const far = request(
      { port: to, host: '127.0.0.1', method: near.method, path: near.url, headers: near.headers },
      (told) => {
        answer.writeHead(told.statusCode ?? 502, told.headers)
        if (near.url !== '/admin/events') return void told.pipe(answer)
        told.setEncoding('utf8')
        let rest = ''
        let stop = (): void => {}
        told.on('data', (text: string) => {
          rest += text
          const [, data] = /event: snapshot\n(?:.*\n)*?data: (.*)\n\n$/.exec(rest) ?? []
          if (data === undefined) return
          rest = ''
          stop()
          stop = repeat(JSON.parse(data), answer, timers)
        })
        told.on('close', () => stop())
      },
    )
    far.on('error', () => answer.destroy())
    answer.on('close', () => far.destroy())
    near.pipe(far)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const timer of timers) clearInterval(timer)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Numbered = { server: { inFlight: number; uptimeSeconds: number } }

function repeat(snapshot: Numbered, answer: ServerResponse, timers: Set<NodeJS.Timeout>): () => void {
  let count = 0
  const timer = setInterval(() => {
    let text = ''
    for (let i = 0; i < EVENTS_PER_SECOND / 100; i++) {
      const server = { ...snapshot.server, inFlight: count++ % 1000 }
      text += `event: snapshot\ndata: ${JSON.stringify({ ...snapshot, server })}\n\n`
    }
    // What the window does not read in time is not piled up here.
    if (answer.writableLength < 4_000_000) answer.write(text)
  }, 10)
  timers.add(timer)
  return () => {
    clearInterval(timer)
    timers.delete(timer)
  }
}

/** What is left of windows that were opened and closed: connections at the server, and in one window that goes from screen to screen. */
async function openedOften(browser: Browser, server: Server, times: number) {
  const context = await openContext(browser, LOOK)
  const first = await openWindow(context, server)
  const client = await context.newCDPSession(first)
  await client.send('Performance.enable')
  const hop = async (): Promise<void> => {
    for (const screen of ['requests/live', 'requests/history', 'requests/gateway-log', 'dashboard'])
      await goTo(first, screen)
  }
  for (let i = 0; i < 5; i++) await hop()
  const before = await held(client)
  for (let i = 0; i < times / 4; i++) await hop()
  const after = await held(client)
  await first.close()
  const pid = Number((await server.commands.snapshot()).server.pid)
  const open = async (): Promise<void> => {
    const page = await context.newPage()
    await page.goto(`${server.origin}/ui/`)
    await page.locator('.verdict h1').waitFor()
    await page.close()
  }
  for (let i = 0; i < 10; i++) await open()
  await pause(1_000)
  const socketsBefore = openFiles(pid)
  for (let i = 0; i < times; i++) await open()
  await pause(1_000)
  const socketsAfter = openFiles(pid)
  await context.close()
  return {
    listenersGrown: after.listeners - before.listeners,
    windowMb: (after.bytes - before.bytes) / 1e6,
    filesGrown: socketsAfter - socketsBefore,
  }
}

async function goTo(page: Page, screen: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = `/${to}`
  }, screen)
  await page.locator('.main > *').first().waitFor()
  await pause(60)
}

async function held(client: CDPSession): Promise<{ listeners: number; bytes: number }> {
  await client.send('HeapProfiler.collectGarbage')
  const { metrics } = await client.send('Performance.getMetrics')
  const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? 0
  return { listeners: of('JSEventListeners'), bytes: of('JSHeapUsedSize') }
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
