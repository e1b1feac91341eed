import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { FlagValues } from '../../../src/cli/flags.ts'
import { REPLAY_FLAGS, type ReplayFlags } from '../../../src/cli/replay/replay-flags.ts'
import { sendingSettings } from '../../../src/cli/replay/sending-settings.ts'
import { temporaryFolder } from '../../support/mesh.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

const DEFAULTS = Object.fromEntries(
  Object.entries(REPLAY_FLAGS).map(([name, { fallback }]) => [name, fallback]),
) as FlagValues<ReplayFlags>

function settings(changes: Partial<FlagValues<ReplayFlags>>): Readonly<Record<string, string>> {
  return sendingSettings({ ...DEFAULTS, ...changes }, undefined)
}

describe('sendingSettings', () => {
  it('shows what may be shown, times with all of their digits', () => {
    expect(settings({ order: 'none', warmup: 2.5e9, between: '14:00-14:30' })).toMatchObject({
      order: 'none',
      workers: '1',
      warmup: '2500ms',
      timeout: '30s',
      between: '14:00-14:30',
    })
  })

  it('changes with a header, unless its name is that of a credential', () => {
    const of = (...header: readonly string[]): string | undefined => settings({ header })['header']
    expect(of('x-tenant: blue')).not.toBe(of('x-tenant: red'))
    expect(of('Authorization: Bearer one')).toBe(of('authorization: Bearer two'))
    expect(of('Authorization: Bearer one')).not.toBe(of('Authorization:'))
    expect(of()).toBeUndefined()
  })

  it('changes with a rule and with what a hook says, and repeats neither', () => {
    const rule = (value: string): Readonly<Record<string, string>> => settings({ rewrite: [`header x-key = ${value}`] })
    expect(rule('s3cr3t')['rewrite']).not.toBe(rule('other')['rewrite'])
    expect(JSON.stringify(rule('s3cr3t'))).not.toContain('s3cr3t')
    const hook = folder.path('hook.mjs')
    const of = (code: string): string | undefined => {
      writeFileSync(hook, code)
      return settings({ hook })['hook']
    }
    expect(of('export function request() {}')).not.toBe(of('export function request() { return false }'))
  })

  it('only says that there is a key, or a command that prints a secret', () => {
    const given = settings({ jwtKey: 'key.pem', authCommand: 'print-token s3cr3t', unseal: ['replay.key'] })
    expect(given).toMatchObject({ 'jwt-key': 'given', 'auth-command': 'given', unseal: 'given' })
    expect(JSON.stringify(given)).not.toMatch(/s3cr3t|key\.pem|replay\.key/)
  })
})
