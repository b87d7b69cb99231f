#!/usr/bin/env node
/**
 * Makes a deb or an rpm of a folder with the system's own `dpkg-deb` or `rpmbuild`, by the words that electron-builder
 * says to fpm. So a package can be made where fpm cannot be fetched. LEXORA_PACK_FAST=1 packs quickly and loosely: for tests.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const FLAGS = ['--force', '--debug']
const LISTS = { '-d': 'depends', '--depends': 'depends', '--deb-recommends': 'recommends' }
const isFast = process.env.LEXORA_PACK_FAST === '1'
const MAKERS = { deb: makeDeb, rpm: makeRpm }

const asked = parse(process.argv.slice(2))
const make = MAKERS[asked.t]
if (make === undefined) throw new Error(`fpm.mjs makes deb and rpm, not '${asked.t}'`)
const out = resolve(asked.package)
mkdirSync(dirname(out), { recursive: true })
// Beside the package, so that it is moved and not copied in the end.
const work = mkdtempSync(join(dirname(out), '.pack-'))
try {
  const tree = join(work, 'root')
  for (const [from, to] of asked.places) place(from, join(tree, to))
  settleModes(tree)
  renameSync(make(tree, asked), out)
} finally {
  rmSync(work, { recursive: true, force: true })
}

function parse(argv) {
  const given = { depends: [], recommends: [], places: [] }
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]
    if (FLAGS.includes(word)) continue
    if (!word.startsWith('-')) {
      const at = word.lastIndexOf('=')
      given.places.push([word.slice(0, at), word.slice(at + 1)])
      continue
    }
    const at = word.indexOf('=')
    const name = at === -1 ? word : word.slice(0, at)
    const value = at === -1 ? argv[++i] : word.slice(at + 1)
    if (LISTS[name] !== undefined) given[LISTS[name]].push(value)
    else given[name.replace(/^--?/, '')] = value
  }
  return given
}

/** A folder's contents where it ends in a slash, else one file. */
function place(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  if (from.endsWith('/')) execFileSync('cp', ['-a', '--reflink=auto', from, to])
  else copyFileSync(from, to)
}

/** Whatever the umask of who builds: everybody may read, root alone may write, and nothing runs as its owner. */
function settleModes(path) {
  const stats = lstatSync(path)
  if (stats.isSymbolicLink()) return
  if (!stats.isDirectory()) return chmodSync(path, stats.mode & 0o111 ? 0o755 : 0o644)
  chmodSync(path, 0o755)
  for (const name of readdirSync(path)) settleModes(join(path, name))
}

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesOf(path) : [path]
  })
}

function foldersOf(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [join(folder, entry.name), ...foldersOf(join(folder, entry.name))])
}

function makeDeb(tree, given) {
  const files = filesOf(tree)
  const control = join(tree, 'DEBIAN')
  mkdirSync(control)
  const [synopsis = '', ...about] = given.description.split('\n').map((line) => line.trim())
  const bytes = files.reduce((sum, path) => sum + lstatSync(path).size, 0)
  const fields = {
    Package: given.name,
    Version: given.iteration === undefined ? given.version : `${given.version}-${given.iteration}`,
    Architecture: given.architecture,
    Maintainer: given.maintainer,
    Vendor: given.vendor,
    License: given.license,
    'Installed-Size': String(Math.ceil(bytes / 1024)),
    Depends: given.depends.join(', '),
    Recommends: given.recommends.join(', '),
    Section: given.category ?? 'devel',
    Priority: given['deb-priority'] ?? 'optional',
    Homepage: given.url,
    Description: [synopsis || given.name, ...about.map((line) => ` ${line || '.'}`)].join('\n'),
  }
  const lines = Object.entries(fields).filter(([, value]) => value)
  writeFileSync(join(control, 'control'), lines.map(([name, value]) => `${name}: ${value}\n`).join(''))
  writeFileSync(
    join(control, 'md5sums'),
    files
      .filter(isPlain)
      .map((path) => `${md5(path)}  ${relative(tree, path)}\n`)
      .join(''),
  )
  const scripts = {
    'before-install': 'preinst',
    'after-install': 'postinst',
    'before-remove': 'prerm',
    'after-remove': 'postrm',
  }
  for (const [option, name] of Object.entries(scripts)) {
    if (given[option] === undefined) continue
    copyFileSync(given[option], join(control, name))
    chmodSync(join(control, name), 0o755)
  }
  const packed = join(work, 'package.deb')
  const packing = isFast ? ['-Zgzip', '-z1'] : [`-Z${given['deb-compression'] ?? 'xz'}`]
  execFileSync('dpkg-deb', ['--root-owner-group', ...packing, '--build', tree, packed], { stdio: 'inherit' })
  return packed
}

function makeRpm(tree, given) {
  const architecture = { amd64: 'x86_64', arm64: 'aarch64' }[given.architecture] ?? given.architecture
  const script = (option) => (given[option] === undefined ? '' : escaped(readFileSync(given[option], 'utf8')))
  const section = (name, text) => (text === '' ? '' : `%${name}\n${text}\n`)
  // A folder that no package owns stays behind; those of the system belong to others.
  const ownTrees = ['opt', join('usr', 'share', 'doc')].filter((path) => existsSync(join(tree, path)))
  const own = ownTrees
    .flatMap((path) => foldersOf(join(tree, path)))
    .map((path) => `%dir "/${escaped(relative(tree, path))}"`)
  const list = filesOf(tree).map((path) => `"/${escaped(relative(tree, path))}"`)
  const spec = [
    `Name: ${given.name}`,
    `Version: ${given.version}`,
    `Release: ${given.iteration ?? 1}`,
    `Summary: ${given['rpm-summary'] ?? given.name}`,
    `License: ${given.license ?? 'unknown'}`,
    `Vendor: ${given.vendor}`,
    `Packager: ${given.maintainer}`,
    `URL: ${given.url}`,
    'AutoReqProv: no',
    ...given.depends.map((name) => `Requires: ${name}`),
    // What is packed is ready: no stripping, no links by build id.
    '%global __os_install_post %{nil}',
    '%define _build_id_links none',
    `%define _binary_payload ${isFast ? 'w1.gzdio' : 'w6.xzdio'}`,
    `%description\n${given.description}`,
    `%install\ncp -a ${tree}/. %{buildroot}/`,
    section('post', script('after-install')),
    section('preun', script('before-remove')),
    section('postun', script('after-remove')),
    '%files\n%defattr(-,root,root,-)',
    ...own,
    ...list,
  ]
  const specPath = join(work, 'package.spec')
  writeFileSync(specPath, `${spec.join('\n')}\n`)
  const made = join(work, 'made')
  const places = ['--define', `_topdir ${join(work, 'rpm')}`, '--define', `_rpmdir ${made}`]
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', `${architecture}-linux`, ...places, specPath], {
    stdio: 'inherit',
  })
  return filesOf(made).find((path) => path.endsWith('.rpm'))
}

/** In a spec a percent sign begins a macro. */
function escaped(text) {
  return text.replaceAll('%', '%%')
}

function isPlain(path) {
  return lstatSync(path).isFile() && statSync(path).isFile()
}

function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex')
}
