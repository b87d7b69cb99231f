import { z } from 'zod'
import { row } from './command-row.ts'
import type { ConfigView, ReloadReport, ValidationReport } from './config-view.ts'

const path = z.string().min(1, 'is empty').max(512, 'is too long')

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
        .array(z.strictObject({ path, value: z.unknown() }), 'is not a list of {path, value}')
        .min(1, 'is empty')
        .max(200, 'is too long'),
    }),
    about: 'change settings in the file, whose comments stay, and go over to them',
    secrets: ['changes'],
    ownWords: true,
    answersWithinMs: 120_000,
  }),
  validateConfig: row<ValidationReport>()({
    method: 'POST',
    path: '/admin/config/validate',
    cli: ['config', 'validate'],
    scope: 'admin:write',
    args: z.strictObject({ text: z.string('is not text').max(1024 * 1024, 'is larger than 1 MiB') }),
    about: 'check a configuration without going over to it',
    secrets: ['text'],
    ownWords: true,
  }),
} as const
