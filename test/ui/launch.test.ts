import { describe, expect, test } from 'vitest'
import {
  flagText,
  launchChanges,
  launchFlags,
  maskedChanges,
  NO_DRAFT,
  otherLines,
  variableLines,
} from '../../renderer/view-models/launch.ts'

const FLAGS = launchFlags({ kind: 'vllm' })
const ARGS = { max_model_len: 4096, 'enforce-eager': true, seed: 7, 'hf-token': '***', 'allowed-origins': ['a', 'b'] }

describe('the options of an engine', () => {
  test('stand in fields of their own, in either spelling, and the others line by line', () => {
    expect(FLAGS.map(({ name }) => flagText(ARGS, name))).toEqual(['4096', '', '', '', '', '', '', 'true'])
    expect(otherLines(ARGS, FLAGS)).toBe('seed: 7\nhf-token: ***')
    expect([launchFlags({ kind: 'command' }), otherLines({ a: null, b: false }, [])]).toEqual([[], 'b: false'])
  })

  test.each<[what: string, fields: Record<string, string>, lines: string | null, changes: Record<string, unknown>]>([
    ['nothing', {}, null, {}],
    ['what is as it was', { 'max-model-len': ' 4096', 'enforce-eager': 'true' }, 'hf-token: ***\nseed: 7', {}],
    ['a number, in the spelling of the file', { 'max-model-len': '8192' }, null, { max_model_len: 8192 }],
    [
      'a word where words may stand',
      { 'max-model-len': '32k', dtype: 'float16' },
      null,
      { max_model_len: '32k', dtype: 'float16' },
    ],
    ['a share', { 'gpu-memory-utilization': '0.85' }, null, { 'gpu-memory-utilization': 0.85 }],
    [
      'a field that was emptied',
      { 'max-model-len': '', 'enforce-eager': '' },
      null,
      { max_model_len: null, 'enforce-eager': null },
    ],
    ['lines that come, go and change', {}, 'seed: 8\nx: true\nhf-token: ***', { seed: 8, x: true }],
    ['lines that are gone; lists stay', {}, '', { seed: null, 'hf-token': null }],
  ])('change by %s', (_, fields, lines, changes) => {
    expect(launchChanges({ args: ARGS, env: {} }, FLAGS, { fields, lines, env: null })).toEqual({
      args: changes,
      env: {},
      bad: null,
    })
  })

  test('and variables change line by line; what is masked stays as it is', () => {
    const given = { args: ARGS, env: { A: '***', B: '***', C: '***' } }
    expect(variableLines(given.env)).toBe('A: ***\nB: ***\nC: ***')
    const { args, env } = launchChanges(given, FLAGS, { ...NO_DRAFT, env: 'A: ***\nB: new\nD: 1' })
    expect([args, env]).toEqual([{}, { C: null, B: 'new', D: 1 }])
  })

  test('say no secret in an address', () => {
    const changes = { 'hf-token': 'hf-very-own', api_key: 'k', password: null, 'max-num-batched-tokens': 8192 }
    expect(maskedChanges(changes)).toEqual({ ...changes, 'hf-token': '***', api_key: '***' })
  })

  test.each([
    [{ fields: { 'max-num-seqs': 'many', dtype: 'float16' } }, 'max-num-seqs', 'set.bad.number', 'many'],
    [{ fields: { dtype: 'float16' }, lines: 'seed 8' }, 'lines', 'set.bad.line', 'seed 8'],
    [{ lines: 'seed: 8', env: 'A' }, 'env', 'set.bad.line', 'A'],
  ])('that cannot be read change nothing, and say which: %j', (draft, name, bad, at) => {
    const made = launchChanges({ args: ARGS, env: {} }, FLAGS, { ...NO_DRAFT, ...draft })
    expect(made).toEqual({ args: {}, env: {}, bad: { name, ok: false, bad, at } })
  })
})
