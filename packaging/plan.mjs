/** Which installers can be made here, decided from what is here. Pure. */

/** What each target needs: programs of this machine, or a network from which electron-builder fetches its own. */
const NEEDS = {
  dir: {},
  'tar.gz': { anyOf: ['7za', '7zz'], get: 'apt install p7zip-full', fetched: true },
  zip: { anyOf: ['7za', '7zz'], get: 'apt install p7zip-full', fetched: true },
  deb: { anyOf: ['dpkg-deb', 'fpm'], get: 'apt install dpkg', fetched: true },
  // fpm calls rpmbuild, too: fetching fpm would not help.
  rpm: { anyOf: ['rpmbuild'], get: 'apt install rpm', fetched: false },
  AppImage: {
    anyOf: ['appimage-tools'],
    get: 'APPIMAGE_TOOLS_PATH names a folder with mksquashfs, desktop-file-validate and runtimes/runtime-x64',
    fetched: true,
  },
  nsis: { anyOf: ['nsis'], get: 'ELECTRON_BUILDER_NSIS_DIR names a folder with makensis', fetched: true },
  dmg: { only: 'darwin' },
}

/** The system that a target is for, and what is made of it where nothing is asked for. */
const SYSTEMS = {
  linux: { flag: '--linux', targets: ['AppImage', 'deb', 'rpm', 'tar.gz'] },
  win32: { flag: '--win', targets: ['nsis'] },
  darwin: { flag: '--mac', targets: ['dmg', 'zip'] },
}

/**
 * `facts`: platform, tools (names of programs that are here), isOnline, hasElectron (an unpacked one is named or here).
 * Answers what to make, and a line for each target that is left out.
 */
export function planPackages(asked, { platform, tools, isOnline, hasElectron }) {
  const { flag, targets } = SYSTEMS[platform] ?? SYSTEMS.linux
  const wanted = asked.length > 0 ? asked : targets
  const make = []
  const leftOut = []
  for (const target of wanted) {
    const why = hindrance(target, { platform, tools, isOnline, hasElectron })
    if (why === null) make.push(target)
    else leftOut.push(`Left out: ${target} (${why})`)
  }
  return { flag, make, leftOut }
}

/** Null: nothing is in its way. */
function hindrance(target, { platform, tools, isOnline, hasElectron }) {
  const need = NEEDS[target]
  if (need === undefined) return `not known here; known are ${Object.keys(NEEDS).join(', ')}`
  if (!hasElectron && !isOnline)
    return 'no Electron: there is no network to fetch it; name an unpacked one with -c.electronDist=/path'
  if (need.only !== undefined && need.only !== platform) return `can only be made on ${need.only}`
  if (need.anyOf === undefined || need.anyOf.some((name) => tools.has(name))) return null
  if (need.fetched && isOnline) return null
  const lack = `no ${need.anyOf.join(' or ')} here`
  return need.fetched ? `${lack}, and no network to fetch it; ${need.get}` : `${lack}; ${need.get}`
}
