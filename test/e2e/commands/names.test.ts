import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MeshResult } from '../../support/mesh.ts'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const RECORDING = folder.path('hostile.mcap')
const PCAP = fileURLToPath(new URL('../../../fixtures/pcap/shop.pcap', import.meta.url))

/** Clears the screen, by C0 and by C1, and turns what follows around. */
const HOSTILE = 'evil\u001b[2J\u009b2J\u202etxt'
const SHOWN = String.raw`evil\x1b[2J\x9b2J\u202etxt`
const UNSEEN = /[^\P{Cc}\n]|\p{Cf}/u

let captured: MeshResult | undefined

beforeAll(async () => {
  const names = ['--host', HOSTILE, '--service', HOSTILE, '--session', `"${HOSTILE}"`, '--keep-secrets']
  captured = await runMesh('capture', 'pcap', PCAP, '-o', RECORDING, ...names)
})

afterAll(() => folder.remove())

describe('names in a recording that would move the cursor', () => {
  it.each([[[]], [['--list']], [['--verify']]])('are escaped by inspect %j', async (flags) => {
    const { code, stdout, stderr } = await runMesh('inspect', RECORDING, ...flags)
    expect(stdout + stderr).not.toMatch(UNSEEN)
    expect(stdout).toContain(SHOWN)
    expect(code).toBe(0)
  })

  it('are escaped by the capture that is given them', () => {
    expect(captured?.code).toBe(0)
    expect(captured?.stderr).not.toMatch(UNSEEN)
  })

  it('are escaped by replay, in plan and report', async () => {
    const target = await startHttpTarget()
    const run = folder.path('run')
    const { stdout, stderr } = await runMesh('replay', RECORDING, '--to', target.url, '-o', run)
    await target.close()
    expect(stdout + stderr).not.toMatch(UNSEEN)
    expect(stderr).toContain(SHOWN)
    expect(stdout).toContain(SHOWN)
    expect((await runMesh('report', run)).stdout).toBe(stdout)
  })

  it('are escaped in errors', async () => {
    const { stderr } = await runMesh('inspect', folder.path(HOSTILE))
    expect(stderr).not.toMatch(UNSEEN)
    expect(stderr).toContain(SHOWN)
  })
})

describe('a recording that comes through a pipe', () => {
  it('is planned and replayed, which takes two passes over it', async () => {
    const target = await startHttpTarget()
    const replay = ['replay', '-', '--to', target.url, '-o', folder.path('piped')]
    const { code, stdout } = await startMesh(replay, { input: readFileSync(RECORDING) }).ended
    await target.close()
    expect(stdout).toContain('3 requests')
    expect(target.seen).toHaveLength(3)
    expect([0, 4]).toContain(code)
  })

  it.each([
    ['inspect', ['inspect', '-']],
    ['export', ['export', '-', '--format', 'curl', '-o', '-']],
  ])('is read by %s', async (_, words) => {
    const { code, stdout } = await startMesh(words, { input: readFileSync(RECORDING) }).ended
    expect(stdout).not.toBe('')
    expect(code).toBe(0)
  })
})
