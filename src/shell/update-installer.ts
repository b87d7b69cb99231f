import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import updater, { type AppUpdater, type UpdateInfo } from 'electron-updater'
import type { InstallKind } from '../policy/update-verdict.ts'
import type { Offer } from './update-feed.ts'

/** Replaces the installed Lexora. Nothing in here asks the network: what it is given has been fetched and checked. */
export type Installer = {
  /** Takes the checked file over. */
  stage: (path: string) => Promise<void>
  /** False: it could not be installed, and the old one is still there. To be called when the app is about to end. */
  install: (relaunch: boolean) => boolean
}

/** What electron-updater needs to know of an app; left out: it asks Electron. */
export type AppAdapter = NonNullable<ConstructorParameters<typeof updater.AppImageUpdater>[1]>

type Updater = AppUpdater & { install: (isSilent: boolean, isForceRunAfter: boolean) => boolean }

/** The parts of electron-updater that it does not mean to be replaced: how a file comes. */
type Inside = { httpExecutor: { download: (url: URL, to: string) => Promise<string> } | null }

const KINDS = {
  AppImage: updater.AppImageUpdater,
  deb: updater.DebUpdater,
  rpm: updater.RpmUpdater,
  nsis: updater.NsisUpdater,
}

/** By electron-updater, of which only the installing is used. `folder`: for its own notes. */
export function createInstaller(
  { kind, offer, folder, log }: { kind: InstallKind; offer: Offer; folder: string; log: (text: string) => void },
  app?: AppAdapter,
): Installer {
  const { version, file } = offer
  const { name, size, sha512 } = file
  const info: UpdateInfo = { version, files: [{ url: name, size, sha512 }], path: name, sha512, releaseDate: '' }
  const updaterOf = KINDS[kind] as new (options: null, app?: AppAdapter) => Updater
  const own = new updaterOf(null, app)
  const notes = join(folder, 'app-update.yml')
  own.updateConfigPath = notes
  own.autoDownload = false
  own.autoInstallOnAppQuit = false
  own.allowDowngrade = false
  own.disableDifferentialDownload = true
  own.logger = { info: log, warn: log, error: log, debug: () => {} }
  own.on('error', () => {})
  class Checked {
    readonly isUseMultipleRangeRequest = false
    readonly fileExtraDownloadHeaders = null
    setRequestHeaders(): void {}
    async getLatestVersion(): Promise<UpdateInfo> {
      return info
    }
    resolveFiles() {
      return [{ url: new URL(name, 'https://checked.invalid/'), info: info.files[0]! }]
    }
  }
  own.setFeedURL({ provider: 'custom', updateProvider: Checked as never })
  return {
    stage: async (path) => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(notes, 'provider: custom\nupdaterCacheDirName: lexora-updater\n')
      const inside = own as unknown as Inside
      inside.httpExecutor = {
        download: async (_url, to) => {
          await copyFile(path, to)
          return to
        },
      }
      await own.checkForUpdates()
      await own.downloadUpdate()
    },
    install: (relaunch) => own.install(true, relaunch),
  }
}
