import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readBytes, readText } from '../../src/cli/read-text.ts'
import { thrownBy } from '../support/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'mesh-read-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(bytes: Uint8Array): string {
  const path = join(folder, `${bytes.length}`)
  writeFileSync(path, bytes)
  return path
}

describe('a file that a flag names', () => {
  it('is read whole, up to its bound', () => {
    for (const size of [0, 1, 70_000]) {
      const bytes = Buffer.alloc(size, 'ab')
      expect(readBytes(file(bytes), 70_000)).toEqual(bytes)
    }
    expect(readText(file(Buffer.from('schön')))).toBe('schön')
  })

  it('is refused beyond it', () => {
    const path = file(Buffer.alloc(101))
    expect(thrownBy(() => readBytes(path, 100))).toMatchObject({ code: 'MESH_ERR_LIMIT', where: path })
  })

  it.skipIf(!existsSync('/dev/zero'))('is refused soon where it has no end', () => {
    expect(thrownBy(() => readText('/dev/zero')).code).toBe('MESH_ERR_LIMIT')
  })

  it('must be one, and be there', () => {
    expect(thrownBy(() => readText(folder)).code).toBe('MESH_ERR_FILE_KIND')
    expect(thrownBy(() => readText(join(folder, 'none'))).code).toBe('MESH_ERR_FILE_NOT_FOUND')
  })
})
