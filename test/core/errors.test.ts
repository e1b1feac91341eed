import { describe, expect, it } from 'vitest'
import { MeshError, systemCode, toMeshError } from '../../src/core/errors.ts'

/** An error as Node throws it. */
function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: whatever`), { code })
}

describe('MeshError', () => {
  it('is one line: what, where, what to do', () => {
    const error = new MeshError('MESH_ERR_FILE_KIND', {
      what: 'expected a\n recording',
      where: 'a.txt',
      remedy: 'name another',
    })
    expect(error.message).toBe('expected a recording (a.txt): name another')
  })
})

describe('toMeshError', () => {
  it.each([
    ['ENOENT', 'MESH_ERR_FILE_NOT_FOUND'],
    ['ENOSPC', 'MESH_ERR_DISK_FULL'],
    ['EADDRINUSE', 'MESH_ERR_PORT_IN_USE'],
    ['ECONNREFUSED', 'MESH_ERR_UNREACHABLE'],
    ['EMFILE', 'MESH_ERR_LIMIT'],
    ['EWHATEVER', 'MESH_ERR_IO'],
  ])('translates %s', (code, expected) => {
    const error = toMeshError(systemError(code), 'there')
    expect(error).toMatchObject({ code: expected, where: 'there' })
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('keeps its own errors and takes anything else as a mistake of ours', () => {
    const own = new MeshError('MESH_ERR_TLS', { what: 'x' })
    expect(toMeshError(own, 'elsewhere')).toBe(own)
    expect(toMeshError('text').code).toBe('MESH_ERR_INTERNAL')
    expect(systemCode({ code: 'ERR_SOMETHING' })).toBeUndefined()
    expect(systemCode({ code: 5 })).toBeUndefined()
  })
})
