import { z } from 'zod'
import { flag, row } from './command-row.ts'
import type { ConfigText, ConfigView, ReloadReport, ValidationReport } from './config-view.ts'
import { say } from './sentence.ts'
import { TLS_COMMANDS } from './tls.ts'

const text = z.string(say('is not text')).max(1024 * 1024, say('is larger than 1 MiB'))
const revision = z
  .string(say('is not text'))
  .regex(/^[0-9a-f]{24}$/, say('is no revision; take the one that came with the text'))
/** JSON takes up to six bytes for one character. */
const MOST_BYTES = 6 * 1024 * 1024 + 1024

const path = z.string().min(1, say('is empty')).max(512, say('is too long'))

/** What a face may do with the configuration. The CLI has words of its own for all but the reload. */
export const CONFIG_COMMANDS = {
  reload: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/reload',
    cli: ['reload'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'read the configuration again and go over to it; what runs goes on',
    answersWithinMs: 120_000,
  }),
  getConfig: row<ConfigView>()({
    method: 'GET',
    path: '/admin/config',
    cli: ['config', 'get'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'every setting: its value, where it comes from, when a change takes effect',
    ownWords: true,
  }),
  setConfig: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/config',
    cli: ['config', 'set'],
    scope: 'admin:write',
    args: z.strictObject({
      changes: z
        .array(z.strictObject({ path, value: z.unknown() }), say('is not a list of {path, value}'))
        .min(1, say('is empty'))
        .max(200, say('is too long')),
      later: flag,
    }),
    about:
      'change settings in the file, whose comments stay, and go over to them; later: engines that run do so at their next start',
    secrets: ['changes'],
    ownWords: true,
    answersWithinMs: 120_000,
  }),
  validateConfig: row<ValidationReport>()({
    method: 'POST',
    path: '/admin/config/validate',
    cli: ['config', 'validate'],
    scope: 'admin:write',
    args: z.strictObject({ text, revision: revision.optional() }),
    about: 'check a configuration without going over to it; with a revision, one whose secrets are masked',
    secrets: ['text'],
    ownWords: true,
    mostBytes: MOST_BYTES,
  }),
  configText: row<ConfigText>()({
    method: 'GET',
    path: '/admin/config/text',
    cli: ['config', 'text'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the file itself, with every secret masked',
    ownWords: true,
  }),
  writeConfig: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/config/text',
    cli: ['config', 'write'],
    scope: 'admin:write',
    args: z.strictObject({ text, revision }),
    about: 'write the file as a whole, its masked secrets put back, and go over to it',
    secrets: ['text'],
    ownWords: true,
    mostBytes: MOST_BYTES,
    answersWithinMs: 120_000,
  }),
  undoConfig: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/config/undo',
    cli: ['config', 'undo'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'take the last change back that was made through Lexora, and go over to what was before',
    ownWords: true,
    answersWithinMs: 120_000,
  }),
  ...TLS_COMMANDS,
} as const
