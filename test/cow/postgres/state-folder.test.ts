import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { makeStateFolder } from '../../../src/cow/postgres/state-folder.ts'

const folders: string[] = []

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-state-'))
  folders.push(folder)
  return folder
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

describe('the folder of the state', () => {
  it('is made with those above it, and taken as it is where it is there', async () => {
    const top = scratch()
    const folder = join(top, 'mesh', 'cow')
    await makeStateFolder(folder, 0o700)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(top, 'mesh')).mode & 0o777).toBe(0o700)
    chmodSync(folder, 0o755)
    await makeStateFolder(folder, 0o700)
    expect(statSync(folder).mode & 0o777).toBe(0o755)
  })

  it.runIf(existsSync('/proc/self'))(
    'is refused where the system makes none, however often it is asked',
    { timeout: 10_000 },
    async () => {
      await expect(makeStateFolder('/proc/mesh/cow', 0o700)).rejects.toThrow(
        'expected a place where the state folder can be made, found one that takes none (/proc/mesh): choose another with --state',
      )
    },
  )

  it('is refused where a file is in its place, or above it', async () => {
    const file = join(scratch(), 'notes.txt')
    writeFileSync(file, '')
    await expect(makeStateFolder(file, 0o700)).rejects.toThrow(`found a file (${file})`)
    await expect(makeStateFolder(join(file, 'cow'), 0o700)).rejects.toThrow(`found a file (${file})`)
  })
})
