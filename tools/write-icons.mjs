/**
 * `node tools/write-icons.mjs`: makes every picture of the desktop app from its drawings, with rsvg-convert (Debian:
 * librsvg2-bin). Run it when a drawing changes, and commit what it makes.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './setup.mjs'

const resources = join(root, 'resources')
const drawings = join(resources, 'drawings')
const TRAY = [16, 22, 24, 32]
/** What dense displays take in place of these. */
const DENSE = [16, 24]
const APP = [16, 24, 32, 48, 64, 128, 256, 512]

for (const style of ['colour', 'mono']) {
  const to = join(resources, 'tray', style)
  mkdirSync(to, { recursive: true })
  for (const name of drawn(join(drawings, 'tray', style))) {
    const drawing = join(drawings, 'tray', style, `${name}.svg`)
    traySet(drawing, name, to)
    if (style === 'colour') continue
    const light = join(tmpdir(), `lexora-${name}.svg`)
    writeFileSync(light, readFileSync(drawing, 'utf8').replaceAll('#000', '#fff'))
    traySet(light, name, join(resources, 'tray', 'mono-light'))
    rmSync(light)
    // macOS tints these by itself; @2x is for its dense displays.
    png(drawing, 18, join(resources, 'tray', `${name}Template.png`))
    png(drawing, 36, join(resources, 'tray', `${name}Template@2x.png`))
  }
}
const icons = join(resources, 'icons')
mkdirSync(icons, { recursive: true })
const app = join(drawings, 'icon.svg')
for (const size of APP) png(app, size, join(icons, `${size}x${size}.png`))
const sized = (sizes) => sizes.map((size) => ({ size, data: rendered(app, size) }))
writeFileSync(join(resources, 'icon.ico'), ico(sized([16, 24, 32, 48, 64, 256])))
writeFileSync(join(resources, 'icon.icns'), icns(sized([16, 32, 64, 128, 256, 512, 1024])))

function traySet(drawing, name, to) {
  mkdirSync(to, { recursive: true })
  for (const size of TRAY) png(drawing, size, join(to, `${name}-${size}.png`))
  for (const size of DENSE) png(drawing, 2 * size, join(to, `${name}-${size}@2x.png`))
}

function drawn(folder) {
  return readdirSync(folder).map((name) => name.replace(/\.svg$/, ''))
}

function png(from, size, to) {
  writeFileSync(to, rendered(from, size))
}

function rendered(from, size) {
  return execFileSync('rsvg-convert', ['-w', String(size), '-h', String(size), from], { maxBuffer: 1 << 26 })
}

/** An icon file of Windows: a head, one entry of 16 bytes for each picture, and the pictures as PNG. */
function ico(pictures) {
  const head = Buffer.alloc(6 + 16 * pictures.length)
  head.writeUInt16LE(1, 2)
  head.writeUInt16LE(pictures.length, 4)
  let at = head.length
  pictures.forEach(({ size, data }, i) => {
    const entry = 6 + 16 * i
    head[entry] = head[entry + 1] = size === 256 ? 0 : size
    head.writeUInt16LE(1, entry + 4)
    head.writeUInt16LE(32, entry + 6)
    head.writeUInt32LE(data.length, entry + 8)
    head.writeUInt32LE(at, entry + 12)
    at += data.length
  })
  return Buffer.concat([head, ...pictures.map(({ data }) => data)])
}

/** An icon file of macOS: chunks of a name of four letters, a length and a PNG. */
function icns(pictures) {
  const names = { 16: 'icp4', 32: 'icp5', 64: 'icp6', 128: 'ic07', 256: 'ic08', 512: 'ic09', 1024: 'ic10' }
  const chunks = pictures.map(({ size, data }) => chunk(names[size], data))
  return chunk('icns', Buffer.concat(chunks))
}

function chunk(name, data) {
  const head = Buffer.alloc(8)
  head.write(name, 'latin1')
  head.writeUInt32BE(data.length + 8, 4)
  return Buffer.concat([head, data])
}
