import { win32 } from 'node:path'
import { programWords, type ServicePlan, type ServiceProgram, type ServiceScope } from './plan.ts'
import { xml } from './xml.ts'

const TASK = 'Lexora'

/** A task that starts at logon, or with the machine. */
export function windowsPlan(program: ServiceProgram, scope: ServiceScope): ServicePlan {
  const path = win32.join(program.logDir, 'lexora-task.xml')
  return {
    path,
    text: windowsTask(program, scope),
    install: [
      { argv: ['schtasks', '/Create', '/TN', TASK, '/XML', path, '/F'] },
      { argv: ['schtasks', '/Run', '/TN', TASK] },
    ],
    uninstall: [
      { argv: ['schtasks', '/End', '/TN', TASK], mayFail: true },
      { argv: ['schtasks', '/Delete', '/TN', TASK, '/F'], mayFail: true },
    ],
    status: { argv: ['schtasks', '/Query', '/TN', TASK], mayFail: true },
  }
}

/** Least privilege, no time limit, started again after a failure, one at a time. */
function windowsTask(program: ServiceProgram, scope: ServiceScope): string {
  const [command = '', ...words] = programWords(program)
  const trigger = scope === 'user' ? 'LogonTrigger' : 'BootTrigger'
  const principal =
    scope === 'system' ? '      <UserId>S-1-5-19</UserId>' : '      <LogonType>InteractiveToken</LogonType>'
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    '  <RegistrationInfo><Description>Lexora gateway</Description></RegistrationInfo>',
    `  <Triggers><${trigger}><Enabled>true</Enabled></${trigger}></Triggers>`,
    '  <Principals>',
    '    <Principal id="Author">',
    principal,
    '      <RunLevel>LeastPrivilege</RunLevel>',
    '    </Principal>',
    '  </Principals>',
    '  <Settings>',
    '    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>',
    '    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>',
    '    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>',
    '    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>',
    '    <RestartOnFailure><Interval>PT1M</Interval><Count>5</Count></RestartOnFailure>',
    '  </Settings>',
    '  <Actions Context="Author">',
    '    <Exec>',
    `      <Command>${xml(command)}</Command>`,
    `      <Arguments>${xml(words.map(quoted).join(' '))}</Arguments>`,
    `      <WorkingDirectory>${xml(program.logDir)}</WorkingDirectory>`,
    '    </Exec>',
    '  </Actions>',
    '</Task>',
    '',
  ].join('\n')
}

/** As CommandLineToArgvW takes a word apart. A path holds no quote. */
function quoted(word: string): string {
  return /[\s"]/.test(word) ? `"${word.replaceAll('"', '\\"')}"` : word
}
