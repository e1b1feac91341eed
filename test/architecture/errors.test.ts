import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/core/errors.ts'

describe('docs/errors.md', () => {
  it('has one line for each error code', () => {
    const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    const documented = [...text.matchAll(/^\| `(MESH_ERR_[A-Z_]+)` \|/gm)].map((match) => match[1] ?? '')
    expect(documented.toSorted()).toEqual([...ERROR_CODES].toSorted())
  })
})
