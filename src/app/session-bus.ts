import { connect, type Socket } from 'node:net'

/** Just enough of D-Bus to ask the session's bus who owns a name, and to hear when that changes. Text arguments only. */

type Message = { type: number; replySerial: number; member: string; path: string; text: string[]; isError: boolean }

const METHOD_CALL = 1
const METHOD_RETURN = 2
const ERROR = 3
const SIGNAL = 4
const PATH_FIELD = 1
const INTERFACE_FIELD = 2
const MEMBER_FIELD = 3
const REPLY_FIELD = 5
const DESTINATION_FIELD = 6
const SIGNATURE_FIELD = 8
const BUS = 'org.freedesktop.DBus'
const MAX_MESSAGE = 1024 * 1024
const ANSWER_MS = 2000

/** The path of a Unix socket out of DBUS_SESSION_BUS_ADDRESS; null: there is no such bus. */
export function busSocket(address: string | undefined): string | null {
  for (const one of (address ?? '').split(';')) {
    const [transport, rest = ''] = one.split(/:(.*)/s)
    if (transport !== 'unix') continue
    const pairs = new Map(rest.split(',').map((pair) => pair.split(/=(.*)/s) as [string, string]))
    const [path, abstract] = [pairs.get('path'), pairs.get('abstract')]
    if (path !== undefined) return decodeURIComponent(path)
    if (abstract !== undefined) return `\0${decodeURIComponent(abstract)}`
  }
  return null
}

/**
 * Tells whether somebody owns `name`, at once and then at every change. Rejects where no bus answers; `onLost` is told
 * when one that did is gone, and then nothing more.
 */
export async function watchName(
  socketPath: string,
  name: string,
  onOwned: (owned: boolean) => void,
  onLost: () => void,
): Promise<{ close: () => void }> {
  const bus = await Bus.open(socketPath)
  try {
    await bus.call('Hello', [])
    bus.onSignal = ({ member, text }) => {
      if (member === 'NameOwnerChanged' && text[0] === name) onOwned(text[2] !== '')
    }
    const rule = `type='signal',sender='${BUS}',member='NameOwnerChanged',arg0='${name}'`
    await bus.call('AddMatch', [rule])
    const owner = await bus.call('GetNameOwner', [name])
    onOwned(!owner.isError)
    bus.onLost = onLost
    return { close: () => bus.close() }
  } catch (error) {
    bus.close()
    throw error
  }
}

class Bus {
  private readonly socket: Socket
  private readonly waiting = new Map<number, (message: Message) => void>()
  private serial = 0
  private buffered: Buffer = Buffer.alloc(0)
  onSignal: (message: Message) => void = () => {}
  onLost: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.read(chunk))
    socket.on('error', () => {})
    socket.once('close', () => this.onLost())
    socket.unref()
  }

  /** Authenticates as the user that this process runs as. */
  static async open(path: string): Promise<Bus> {
    const socket = connect(path)
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('the session bus does not answer')))
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex')
    await new Promise<void>((resolve, reject) => {
      let said = ''
      const ended = (): void => reject(new Error('the session bus hung up'))
      const listen = (chunk: Buffer): void => {
        said += chunk.toString('latin1')
        if (!said.includes('\r\n')) return
        socket.off('data', listen)
        socket.off('close', ended)
        if (said.startsWith('OK')) resolve()
        else reject(new Error(`the session bus refuses: ${said.trim()}`))
      }
      socket.once('error', reject)
      socket.once('close', ended)
      socket.on('data', listen)
      socket.write(`\0AUTH EXTERNAL ${uid}\r\n`)
    })
    socket.setTimeout(0)
    socket.write('BEGIN\r\n')
    return new Bus(socket)
  }

  async call(member: string, args: readonly string[]): Promise<Message> {
    const serial = ++this.serial
    return await new Promise<Message>((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiting.delete(serial)
        reject(new Error(`the session bus does not answer ${member}`))
      }, ANSWER_MS)
      late.unref()
      this.waiting.set(serial, (message) => {
        clearTimeout(late)
        resolve(message)
      })
      this.socket.write(methodCall(serial, member, args))
    })
  }

  close(): void {
    this.onLost = () => {}
    this.socket.destroy()
  }

  private read(chunk: Buffer): void {
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk])
    for (;;) {
      const size = sizeOf(this.buffered)
      if (size === null || size > this.buffered.length) return
      if (size > MAX_MESSAGE) return this.close()
      const message = parse(this.buffered.subarray(0, size))
      this.buffered = this.buffered.subarray(size)
      if (message === null) continue
      if (message.type === SIGNAL) this.onSignal(message)
      const answer = this.waiting.get(message.replySerial)
      if (answer === undefined || (message.type !== METHOD_RETURN && message.type !== ERROR)) continue
      this.waiting.delete(message.replySerial)
      answer(message)
    }
  }
}

const pad = (length: number, to: number): number => Math.ceil(length / to) * to

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const head = Buffer.alloc(4)
  head.writeUInt32LE(bytes.length)
  return Buffer.concat([head, bytes, Buffer.from([0])])
}

function aligned(parts: readonly Buffer[], to: number): Buffer {
  let whole = Buffer.alloc(0)
  for (const part of parts) {
    whole = Buffer.concat([whole, Buffer.alloc(pad(whole.length, to) - whole.length), part])
  }
  return whole
}

/** A call to the bus itself, little-endian, protocol version 1. */
export function methodCall(serial: number, member: string, args: readonly string[]): Buffer {
  const field = (code: number, kind: 'o' | 's', value: string): Buffer =>
    Buffer.concat([Buffer.from([code, 1, kind.charCodeAt(0), 0]), text(value)])
  const signature = 's'.repeat(args.length)
  const fields = [
    field(PATH_FIELD, 'o', '/org/freedesktop/DBus'),
    field(INTERFACE_FIELD, 's', BUS),
    field(MEMBER_FIELD, 's', member),
    field(DESTINATION_FIELD, 's', BUS),
  ]
  if (signature !== '') {
    fields.push(
      Buffer.concat([Buffer.from([SIGNATURE_FIELD, 1, 0x67, 0, signature.length]), Buffer.from(`${signature}\0`)]),
    )
  }
  const list = aligned(fields, 8)
  const body = aligned(args.map(text), 4)
  const head = Buffer.alloc(16)
  head.set([0x6c, METHOD_CALL, 0, 1])
  head.writeUInt32LE(body.length, 4)
  head.writeUInt32LE(serial, 8)
  head.writeUInt32LE(list.length, 12)
  return Buffer.concat([head, list, Buffer.alloc(pad(16 + list.length, 8) - 16 - list.length), body])
}

/** Of the message that begins the bytes; null: its head is not whole yet. */
function sizeOf(bytes: Buffer): number | null {
  if (bytes.length < 16) return null
  const little = bytes[0] === 0x6c
  const read = (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  return pad(16 + read(12), 8) + read(4)
}

/** Null: it holds something that nobody here asked for. */
function parse(bytes: Buffer): Message | null {
  if (bytes[0] !== 0x6c) return null
  const message: Message = {
    type: bytes[1]!,
    replySerial: 0,
    member: '',
    path: '',
    text: [],
    isError: bytes[1] === ERROR,
  }
  const fieldsEnd = 16 + bytes.readUInt32LE(12)
  let signature = ''
  for (let at = 16; at < fieldsEnd; ) {
    at = pad(at, 8)
    const code = bytes[at]!
    const kind = String.fromCharCode(bytes[at + 2]!)
    at += 4
    if (kind === 'g') {
      const length = bytes[at]!
      if (code === SIGNATURE_FIELD) signature = bytes.toString('latin1', at + 1, at + 1 + length)
      at += length + 2
    } else if (kind === 'u') {
      at = pad(at, 4)
      if (code === REPLY_FIELD) message.replySerial = bytes.readUInt32LE(at)
      at += 4
    } else if (kind === 's' || kind === 'o') {
      at = pad(at, 4)
      const length = bytes.readUInt32LE(at)
      const value = bytes.toString('utf8', at + 4, at + 4 + length)
      if (code === MEMBER_FIELD) message.member = value
      if (code === PATH_FIELD) message.path = value
      at += length + 5
    } else return null
  }
  if (!/^s*$/.test(signature)) return message
  let at = pad(fieldsEnd, 8)
  for (const _ of signature) {
    at = pad(at, 4)
    const length = bytes.readUInt32LE(at)
    message.text.push(bytes.toString('utf8', at + 4, at + 4 + length))
    at += length + 5
  }
  return message
}
