import { type AppCommands, refusal } from '../protocol/commands.ts'
import type { CONFIG_COMMANDS } from '../protocol/config-commands.ts'
import type { ReloadReport } from '../protocol/config-view.ts'
import { say } from '../protocol/sentence.ts'

/** What can be done with the configuration of a Lexora that runs. */
export type ConfigDesk = Pick<AppCommands, keyof typeof CONFIG_COMMANDS> & {
  /** Adds one to server.cors_origins, as the file has it at that moment. */
  allowOrigin: (origin: string) => Promise<ReloadReport>
  /** Adds one to privacy.blocked, or takes out whatever blocks it. */
  blockPlace: (host: string) => Promise<ReloadReport>
  allowPlace: (host: string) => Promise<ReloadReport>
}

/** For a core that was given its configuration by value. */
export function fixedConfig(): ConfigDesk {
  const told = async (): Promise<never> => {
    throw refusal('not_found', say('This Lexora was started without a configuration file.'), null)
  }
  return {
    reload: told,
    getConfig: told,
    setConfig: told,
    validateConfig: told,
    configText: told,
    writeConfig: told,
    undoConfig: told,
    readTls: told,
    createCertificate: told,
    allowOrigin: told,
    blockPlace: told,
    allowPlace: told,
  }
}
