/**
 * A double of the `electron` module for tests: the main process runs in Node 24, each window is a tab of a Chromium that
 * is driven by its debugging protocol. Not here: isolation of worlds, the sandbox, native menus and dialogs.
 */
const { spawn } = require('node:child_process')
const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')

const folder = process.env.DOUBLE_APP
const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'lexora-double-'))
const preventable = (more = {}) => ({
  defaultPrevented: false,
  preventDefault() {
    this.defaultPrevented = true
  },
  ...more,
})

/** Chromium's debugging protocol over one socket. */
class Protocol extends EventEmitter {
  constructor(socket) {
    super()
    this.setMaxListeners(0)
    this.socket = socket
    this.last = 0
    this.open = new Map()
    socket.onmessage = ({ data }) => {
      const { id, method, params, sessionId, result, error } = JSON.parse(data)
      if (id === undefined) return this.emit(method, params, sessionId)
      const [resolve, reject] = this.open.get(id)
      this.open.delete(id)
      if (error) reject(new Error(error.message))
      else resolve(result)
    }
  }

  send(method, params = {}, sessionId) {
    return new Promise((resolve, reject) => {
      const id = ++this.last
      this.open.set(id, [resolve, reject])
      this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    })
  }
}

let chromium
let connected

function startChromium() {
  connected ??= new Promise((resolve, reject) => {
    const root = process.getuid() === 0 ? ['--no-sandbox'] : []
    const quiet = ['--headless=new', '--no-startup-window', '--no-first-run', '--disable-gpu', '--password-store=basic']
    const args = [...quiet, '--remote-debugging-port=0', `--user-data-dir=${profile}`, ...root]
    chromium = spawn(process.env.CHROMIUM ?? 'chromium', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    chromium.once('error', reject)
    let said = ''
    chromium.stderr.on('data', (chunk) => {
      said += chunk
      const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1]
      if (address === undefined) return
      chromium.stderr.removeAllListeners('data').resume()
      const socket = new WebSocket(address)
      socket.onerror = reject
      socket.onopen = () => {
        process.stderr.write(`DevTools listening on ${address}\n`)
        resolve(new Protocol(socket))
      }
    })
  })
  return connected
}

/** Playwright says when it sees everything; what opened before that, it now and then misses. */
const watched = process.execArgv.some((word) => word.startsWith('--inspect'))
  ? new Promise((resolve) => {
      globalThis.__playwright_run = resolve
    })
  : null

class App extends EventEmitter {
  isPackaged = false
  commandLine = { hasSwitch: (name) => process.argv.includes(`--${name}`), appendSwitch() {} }
  paths = {}
  ready = null
  whenReady() {
    this.ready ??= startChromium().then(async () => {
      await watched
      this.isReadyNow = true
      this.emit('ready')
    })
    return this.ready
  }
  isReady() {
    return this.isReadyNow === true
  }
  getVersion() {
    return manifest.version
  }
  getName() {
    return manifest.productName
  }
  getLocale() {
    return process.env.LANG?.slice(0, 2) ?? 'en'
  }
  getAppPath() {
    return folder
  }
  getPath(name) {
    return this.paths[name] ?? path.join(profile, name)
  }
  setPath(name, value) {
    this.paths[name] = value
  }
  setName() {}
  setDesktopName() {}
  enableSandbox() {}
  disableHardwareAcceleration() {}
  setLoginItemSettings() {}
  relaunch(options) {
    process.stderr.write(`relaunch ${JSON.stringify(options)}\n`)
  }
  quit() {
    const event = preventable()
    this.emit('before-quit', event)
    if (event.defaultPrevented) return
    for (const window of BrowserWindow.getAllWindows()) window.destroy()
    this.emit('will-quit', preventable())
    this.exit(0)
  }
  exit(code = 0) {
    this.emit('quit', preventable(), code)
    chromium?.kill('SIGKILL')
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    process.exit(code)
  }
}

const app = new App()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => app.quit())

const handlers = new Map()
const ipcMain = Object.assign(new EventEmitter(), { handle: (channel, handler) => handlers.set(channel, handler) })

/** Schemes of the app are hosts of a server here, since a plain Chromium knows them not. */
const schemes = new Map()
let schemeServer
const protocol = {
  registerSchemesAsPrivileged() {
    if (app.isReady()) throw new Error('schemes are registered before the app is ready')
  },
  handle: (scheme, handler) => schemes.set(scheme, handler),
}

function schemePort() {
  schemeServer ??= new Promise((resolve) => {
    const server = http.createServer(async (request, response) => {
      const [scheme, host] = request.headers.host.split('.')
      const answer = await schemes.get(scheme)({ url: `${scheme}://${host}${request.url}`, method: request.method })
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
    server.listen(0, '127.0.0.1', () => resolve(server.address().port))
    server.unref()
  })
  return schemeServer
}

async function toHttp(address) {
  const { protocol: scheme, host, pathname, search, hash } = new URL(address)
  return `http://${scheme.slice(0, -1)}.${host}.localhost:${await schemePort()}${pathname}${search}${hash}`
}

const fromHttp = (address) => address.replace(/^http:\/\/(\w+)\.(\w+)\.localhost:\d+/, '$1://$2')

const preloadRuntime = (source, argv) => `(() => {
  if (window.top !== window) return
  const open = new Map(), hearing = new Map()
  let last = 0
  window.__double = (kind, key, value) => {
    if (kind === 'event') return (hearing.get(key) ?? []).forEach((hear) => hear({}, ...value))
    const [resolve, reject] = open.get(key)
    open.delete(key)
    'error' in value ? reject(new Error(value.error)) : resolve(value.value)
  }
  const ipcRenderer = {
    invoke: (channel, ...args) => new Promise((resolve, reject) => {
      open.set(++last, [resolve, reject])
      __invoke(JSON.stringify({ id: last, channel, args: structuredClone(args), url: location.href }))
    }),
    on: (channel, hear) => void hearing.set(channel, [...(hearing.get(channel) ?? []), hear]),
  }
  const contextBridge = { exposeInMainWorld: (name, value) => Object.defineProperty(window, name, { value: Object.freeze(value) }) }
  const require = (name) => {
    if (name !== 'electron') throw new Error('a sandboxed preload has no ' + name)
    return { ipcRenderer, contextBridge }
  }
  ;(function (require, process, exports, module) { ${source}
})(require, { argv: ${JSON.stringify(argv)} }, {}, {})
})()`

class WebContents extends EventEmitter {
  mainFrame = { url: '' }
  constructor(window) {
    super()
    this.window = window
  }
  setWindowOpenHandler() {}
  isDestroyed() {
    return this.window.isDestroyed()
  }
  send(channel, ...args) {
    const told = `window.__double?.('event', ${JSON.stringify(channel)}, ${JSON.stringify(args)})`
    void this.window.evaluate(told)
  }
  async loadURL(address) {
    const { wire, session } = await this.window.tab
    await wire.send('Page.navigate', { url: await toHttp(address) }, session)
  }
}

class BrowserWindow extends EventEmitter {
  static open = new Set()
  static getAllWindows() {
    return [...BrowserWindow.open]
  }
  static fromWebContents(contents) {
    return contents.window
  }
  constructor(options) {
    super()
    const { contextIsolation, sandbox, nodeIntegration, preload, additionalArguments } = options.webPreferences
    if (!contextIsolation || !sandbox || nodeIntegration) throw new Error('the window is not safe')
    this.bounds = { x: options.x ?? 0, y: options.y ?? 0, width: options.width, height: options.height }
    this.visible = options.show !== false
    this.title = options.title
    this.webContents = new WebContents(this)
    BrowserWindow.open.add(this)
    this.tab = this.openTab(fs.readFileSync(preload, 'utf8'), additionalArguments)
  }
  async openTab(preload, argv) {
    const wire = await startChromium()
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank' })
    this.targetId = targetId
    const { sessionId: session } = await wire.send('Target.attachToTarget', { targetId, flatten: true })
    await wire.send('Page.enable', {}, session)
    await wire.send('Runtime.enable', {}, session)
    await wire.send('Runtime.addBinding', { name: '__invoke' }, session)
    const source = preloadRuntime(preload, argv)
    await wire.send('Page.addScriptToEvaluateOnNewDocument', { source }, session)
    wire.on('Runtime.bindingCalled', (call, from) => {
      if (from === session) void this.answer(JSON.parse(call.payload))
    })
    wire.on('Page.loadEventFired', (_told, from) => {
      if (from === session) this.webContents.emit('did-finish-load')
    })
    return { wire, session, targetId }
  }
  async answer({ id, channel, args, url }) {
    this.webContents.mainFrame.url = fromHttp(url)
    let told
    try {
      const handler = handlers.get(channel)
      const event = { sender: this.webContents, senderFrame: this.webContents.mainFrame }
      told = { value: structuredClone(await handler(event, ...args)) }
    } catch (error) {
      told = { error: String(error) }
    }
    await this.evaluate(`window.__double('reply', ${id}, ${JSON.stringify(told)})`)
  }
  async evaluate(expression) {
    const { wire, session } = await this.tab
    await wire.send('Runtime.evaluate', { expression }, session).catch(() => {})
  }
  loadURL(address) {
    return this.webContents.loadURL(address)
  }
  show() {
    this.visible = true
    this.emit('show')
  }
  hide() {
    this.visible = false
    this.emit('hide')
  }
  focus() {}
  restore() {}
  maximize() {}
  isVisible() {
    return this.visible
  }
  isFocused() {
    return this.visible
  }
  isMinimized() {
    return false
  }
  isMaximized() {
    return false
  }
  isDestroyed() {
    return !BrowserWindow.open.has(this)
  }
  getNormalBounds() {
    return this.bounds
  }
  setBounds(bounds) {
    this.bounds = { ...this.bounds, ...bounds }
    this.emit('move')
  }
  center() {
    const [{ workArea }] = screen.getAllDisplays()
    const { width, height } = this.bounds
    this.setBounds({ x: workArea.x + (workArea.width - width) / 2, y: workArea.y + (workArea.height - height) / 2 })
  }
  setTitle(title) {
    this.title = title
  }
  close() {
    const event = preventable()
    this.emit('close', event)
    if (!event.defaultPrevented) this.destroy()
  }
  destroy() {
    if (!BrowserWindow.open.delete(this)) return
    void this.tab.then(({ wire, targetId }) => wire.send('Target.closeTarget', { targetId })).catch(() => {})
    this.emit('closed')
    if (BrowserWindow.open.size === 0) app.emit('window-all-closed')
  }
}

class Tray extends EventEmitter {
  static last = null
  constructor(image) {
    super()
    this.image = image
    Tray.last = this
  }
  setImage(image) {
    this.image = image
  }
  setToolTip(tooltip) {
    this.tooltip = tooltip
  }
  setContextMenu(menu) {
    this.menu = menu
  }
  destroy() {
    Tray.last = null
  }
}

const Menu = {
  application: 'its own',
  buildFromTemplate: (items) => Object.assign(new EventEmitter(), { items }),
  setApplicationMenu(menu) {
    Menu.application = menu
  },
  getApplicationMenu: () => Menu.application,
}
const nativeImage = {
  createFromPath: (file) => {
    if (!fs.existsSync(file)) throw new Error(`there is no picture ${file}`)
    return { file, setTemplateImage() {} }
  },
}
const nativeTheme = Object.assign(new EventEmitter(), { shouldUseDarkColors: false })
const screen = Object.assign(new EventEmitter(), {
  displays: [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }],
  getAllDisplays: () => screen.displays,
})
const session = { defaultSession: { setPermissionRequestHandler() {}, setPermissionCheckHandler() {} } }
const clipboard = {
  text: '',
  async writeText(text) {
    clipboard.text = text
  },
}
const dialog = {
  showMessageBox: async ({ message }) => {
    process.stderr.write(`dialog ${message}\n`)
    return { response: 0 }
  },
}
const shell = { openExternal: async () => {}, openPath: async () => '', showItemInFolder() {} }
const powerMonitor = new EventEmitter()

class Notification extends EventEmitter {
  static told = []
  static isSupported() {
    return true
  }
  constructor(options) {
    super()
    this.options = options
  }
  show() {
    Notification.told.push(this.options)
  }
}

// Plain names alone: Node's reader of CommonJS stops at anything else.
module.exports = {
  app,
  BrowserWindow,
  clipboard,
  dialog,
  ipcMain,
  Menu,
  nativeImage,
  nativeTheme,
  Notification,
  powerMonitor,
  protocol,
  screen,
  session,
  shell,
  Tray,
}
