/**
 * Where a test's debugger is on its way, nothing opens before it is there: a page that it would meet half loaded is
 * sometimes lost to it. `__playwright_run` is what Playwright calls when it sees everything.
 */
import { app } from 'electron'

if (process.env['LEXORA_TEST_HELD'] === '1') {
  let isHeld = true
  const seen = new Promise<void>((resolve) => Object.assign(globalThis, { __playwright_run: resolve }))
  const ready = Promise.all([app.whenReady(), seen]).then(() => {
    isHeld = false
  })
  app.whenReady = async () => await ready
  app.isReady = () => !isHeld
}
