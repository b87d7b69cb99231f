/** Called by electron-builder when a package's folder is complete: closes the binary's doors, and puts the launcher before it. */
import { chmodSync, copyFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses'

/** A build that Playwright drives needs the inspector: LEXORA_PACK_DRIVEN=1, for tests alone. */
const isDriven = process.env.LEXORA_PACK_DRIVEN === '1'

/** How the binary of such a package is closed, as flipFuses takes it. */
export function fusesOf(electronMajor, platform, driven = isDriven) {
  return {
    [FuseV1Options.RunAsNode]: false,
    [FuseV1Options.EnableCookieEncryption]: true,
    [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
    [FuseV1Options.EnableNodeCliInspectArguments]: driven,
    [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: platform !== 'linux',
    [FuseV1Options.OnlyLoadAppFromAsar]: true,
    // Electron has this one since 29.
    ...(electronMajor >= 29 ? { [FuseV1Options.GrantFileProtocolExtraPrivileges]: false } : {}),
  }
}

export default async function afterPack({ appOutDir, electronPlatformName, packager }) {
  const { productFilename } = packager.appInfo
  const electronMajor = Number.parseInt(packager.info.framework.version, 10)
  const names = { linux: 'lexora', win32: `${productFilename}.exe`, darwin: `${productFilename}.app` }
  const binary = join(appOutDir, names[electronPlatformName])
  await flipFuses(binary, {
    version: FuseVersion.V1,
    resetAdHocDarwinSignature: electronPlatformName === 'darwin',
    ...fusesOf(electronMajor, electronPlatformName),
  })
  if (electronPlatformName !== 'linux') return
  // An unpacked Electron that was named by hand brings what shows when there is no app.
  rmSync(join(appOutDir, 'resources', 'default_app.asar'), { force: true })
  renameSync(binary, join(appOutDir, 'lexora-bin'))
  copyFileSync(join(import.meta.dirname, 'launcher.sh'), binary)
  chmodSync(binary, 0o755)
}
