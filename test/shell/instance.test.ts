import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readProcess } from '../../src/engine/processes.ts'
import { claimInstance, instanceAddress } from '../../src/shell/instance.ts'
import type { ShellRequest } from '../../src/shell/request.ts'
import { beBusy } from '../support/be-busy.ts'

const REQUEST: ShellRequest = { screen: '/models', start: null, stop: null, model: null, hidden: false }

let stateDir = ''
const closers: (() => void)[] = []
const place = () => ({ stateDir, env: { XDG_RUNTIME_DIR: stateDir }, platform: process.platform })
const nobody = (): void => {
  throw new Error('nobody was to ask')
}

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'lexora-instance-'))
})

afterEach(() => {
  for (const close of closers.splice(0)) close()
  rmSync(stateDir, { recursive: true, force: true })
})

test('the first of two is asked what the second was started for', async () => {
  const heard: ShellRequest[] = []
  const first = await claimInstance(place(), REQUEST, (request) => heard.push(request))
  if (first.is !== 'first') throw new Error(first.is)
  closers.push(first.release)
  const later: ShellRequest = { ...REQUEST, start: 'big', hidden: true }
  expect(await claimInstance(place(), later, nobody)).toEqual({ is: 'handed' })
  expect(heard).toEqual([later])
})

test('the first of two is not called hung by a second one that was too busy to hear it', async () => {
  const first = await claimInstance(place(), REQUEST, () => {})
  if (first.is !== 'first') throw new Error(first.is)
  closers.push(first.release)
  const second = claimInstance(place(), REQUEST, nobody)
  // It has sent its request by then, or is about to.
  await new Promise((resolve) => setTimeout(resolve, 0))
  beBusy(3500)
  expect(await second).toEqual({ is: 'handed' })
})

test('nobody but its user reaches it', async () => {
  const first = await claimInstance(place(), REQUEST, () => {})
  if (first.is !== 'first') throw new Error(first.is)
  closers.push(first.release)
  expect(statSync(instanceAddress(place())).mode & 0o777).toBe(0o600)
  expect(statSync(join(stateDir, 'desktop.json')).mode & 0o777).toBe(0o600)
})

test('who comes after the first has ended is the first', async () => {
  const first = await claimInstance(place(), REQUEST, () => {})
  if (first.is === 'first') first.release()
  const second = await claimInstance(place(), REQUEST, () => {})
  if (second.is === 'first') closers.push(second.release)
  expect(second.is).toBe('first')
})

test('an address that a killed one left is taken over', async () => {
  const address = instanceAddress(place())
  const script = `require('node:net').createServer().listen(${JSON.stringify(address)}, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  expect(statSync(address).isSocket()).toBe(true)
  const claim = await claimInstance(place(), REQUEST, () => {})
  if (claim.is === 'first') closers.push(claim.release)
  expect(claim.is).toBe('first')
})

test('one that hangs is told by pid, ended when asked, and its place is free', async () => {
  const address = instanceAddress(place())
  const script = `require('node:net').createServer(() => {}).listen(${JSON.stringify(address)}, () => console.log('up'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
  const record = { pid: child.pid, startTime: readProcess(child.pid!)?.startTime ?? null }
  writeFileSync(join(stateDir, 'desktop.json'), JSON.stringify(record))
  const claim = await claimInstance(place(), REQUEST, () => {})
  if (claim.is !== 'hung') throw new Error(claim.is)
  expect(claim.pid).toBe(child.pid)
  expect(await claim.recover()).toBe(true)
  expect(await ended).toBe('SIGKILL')
  const next = await claimInstance(place(), REQUEST, () => {})
  if (next.is === 'first') closers.push(next.release)
  expect(next.is).toBe('first')
})

test('another program that has the pid by now is left alone', async () => {
  const server = createServer(() => {})
  await new Promise<void>((resolve) => server.listen(instanceAddress(place()), resolve))
  closers.push(() => server.close())
  writeFileSync(join(stateDir, 'desktop.json'), JSON.stringify({ pid: process.pid, startTime: '1' }))
  const claim = await claimInstance(place(), REQUEST, () => {})
  if (claim.is !== 'hung') throw new Error(claim.is)
  expect(claim.pid).toBeNull()
  expect(await claim.recover()).toBe(true)
})

test('what is no request is not taken for one', async () => {
  const first = await claimInstance(place(), REQUEST, nobody)
  if (first.is !== 'first') throw new Error(first.is)
  closers.push(first.release)
  const { connect } = await import('node:net')
  const answers = ['{"do":"quit"}\n', 'hello\n'].map(
    (text) =>
      new Promise((resolve) => {
        const socket = connect(instanceAddress(place()))
        socket.once('data', (chunk) => resolve(chunk.toString()))
        socket.write(text)
      }),
  )
  expect(await Promise.all(answers)).toEqual(['no\n', 'no\n'])
})

test('one whose beginning the system does not tell is never ended', async () => {
  const address = instanceAddress(place())
  const script = `require('node:net').createServer(() => {}).listen(${JSON.stringify(address)}, () => console.log('up'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  closers.push(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  writeFileSync(join(stateDir, 'desktop.json'), JSON.stringify({ pid: child.pid, startTime: null }))
  const claim = await claimInstance(place(), REQUEST, () => {})
  if (claim.is !== 'hung') throw new Error(claim.is)
  expect(await claim.recover()).toBe(false)
  expect([child.exitCode, child.signalCode]).toEqual([null, null])
})
