import { posix } from 'node:path'
import { programWords, type ServicePlan, type ServiceProgram, type ServiceScope } from './plan.ts'
import { xml } from './xml.ts'

const LABEL = 'org.lexora.gateway'

/** The agent of this user, or the daemon of the whole machine (launchd.plist(5)). `uid`: whose session it joins. */
export function launchdPlan(program: ServiceProgram, scope: ServiceScope, userHome: string, uid: number): ServicePlan {
  const isUser = scope === 'user'
  const folder = isUser ? posix.join(userHome, 'Library', 'LaunchAgents') : '/Library/LaunchDaemons'
  const domain = isUser ? `gui/${uid}` : 'system'
  const path = posix.join(folder, `${LABEL}.plist`)
  return {
    path,
    text: launchdPlist(program, scope),
    install: [
      { argv: ['launchctl', 'bootout', `${domain}/${LABEL}`], mayFail: true },
      { argv: ['launchctl', 'bootstrap', domain, path] },
    ],
    uninstall: [{ argv: ['launchctl', 'bootout', `${domain}/${LABEL}`], mayFail: true }],
    status: { argv: ['launchctl', 'print', `${domain}/${LABEL}`], mayFail: true },
  }
}

/** Starts at login and again after a crash, but not after an end that was asked for or a broken configuration. */
function launchdPlist(program: ServiceProgram, scope: ServiceScope): string {
  const words = programWords(program).map((word) => `    <string>${xml(word)}</string>`)
  const user =
    scope === 'system' && program.runAs !== null
      ? [`  <key>UserName</key>\n  <string>${xml(program.runAs)}</string>`]
      : []
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key>\n  <string>${LABEL}</string>`,
    '  <key>ProgramArguments</key>\n  <array>',
    ...words,
    '  </array>',
    ...user,
    ...environment(program),
    '  <key>RunAtLoad</key>\n  <true/>',
    '  <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>',
    '  <key>ThrottleInterval</key>\n  <integer>10</integer>',
    '  <key>ExitTimeOut</key>\n  <integer>120</integer>',
    '  <key>Umask</key>\n  <integer>63</integer>',
    `  <key>StandardOutPath</key>\n  <string>${xml(posix.join(program.logDir, 'service.txt'))}</string>`,
    `  <key>StandardErrorPath</key>\n  <string>${xml(posix.join(program.logDir, 'service.txt'))}</string>`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n')
}

function environment({ home }: ServiceProgram): string[] {
  if (home === null) return []
  return [
    `  <key>EnvironmentVariables</key>\n  <dict>\n    <key>LEXORA_HOME</key>\n    <string>${xml(home)}</string>\n  </dict>`,
  ]
}
