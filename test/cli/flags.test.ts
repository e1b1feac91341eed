import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/cli/config.ts'
import type { FileValues, FlagTable, FlagValues } from '../../src/cli/flags.ts'
import {
  addressFlag,
  addFlags,
  choiceFlag,
  countFlag,
  listenFlag,
  listFlag,
  readFlags,
  sizeFlag,
  switchFlag,
  withDefault,
} from '../../src/cli/flags.ts'
import { thrownBy } from '../support/errors.ts'

const TABLE = {
  maxBody: withDefault(sizeFlag('max-body', 'a size'), '1MiB'),
  workers: countFlag('workers', 'a count'),
  mask: listFlag('mask', '<rule>', 'a list'),
  quiet: switchFlag(['q', 'quiet'], 'a switch'),
  order: choiceFlag('order', ['connection', 'none'], 'a choice'),
}

function read<Table extends FlagTable>(
  table: Table,
  words: string[],
  environment: NodeJS.ProcessEnv = {},
  file?: FileValues,
): FlagValues<Table> {
  const command = new Command('test').exitOverride()
  addFlags(command, table)
  command.parse(words, { from: 'user' })
  return readFlags(command, table, environment, file)
}

describe('flags', () => {
  it('come from the command line before the environment before the file before the default', () => {
    const file = { file: 'mesh.yaml', values: { 'max-body': ['3KiB'], workers: ['3'] } }
    expect(read(TABLE, []).maxBody).toBe(1024 ** 2)
    expect(read(TABLE, [], {}, file)).toMatchObject({ maxBody: 3072, workers: 3 })
    expect(read(TABLE, [], { MESH_MAX_BODY: '2KiB' }, file)).toMatchObject({ maxBody: 2048, workers: 3 })
    expect(read(TABLE, ['--max-body', '1KiB'], { MESH_MAX_BODY: '2KiB' }, file).maxBody).toBe(1024)
  })

  it('take lists from a variable whatever its lines end with, and none from one of empty lines', () => {
    const file = { file: 'mesh.yaml', values: { mask: ['of the file'] } }
    expect(read(TABLE, [], { MESH_MASK: 'a\nb\n' }).mask).toEqual(['a', 'b'])
    expect(read(TABLE, [], { MESH_MASK: 'a\r\n\r\nb\r\n' }).mask).toEqual(['a', 'b'])
    expect(read(TABLE, [], { MESH_MASK: '\n' }, file).mask).toEqual(['of the file'])
  })

  it('read lists, switches and choices', () => {
    expect(read(TABLE, ['--mask', 'a', '--mask', 'b', '-q', '--order', 'none'])).toMatchObject({
      mask: ['a', 'b'],
      quiet: true,
      order: 'none',
    })
    expect(read(TABLE, [], { MESH_QUIET: 'false', MESH_MASK: 'a\nb' })).toMatchObject({
      mask: ['a', 'b'],
      quiet: false,
    })
  })

  it.each([
    [['--max-body', 'big'], {}, undefined, '--max-body'],
    [[], { MESH_WORKERS: 'many' }, undefined, 'MESH_WORKERS'],
    [[], {}, { file: 'mesh.yaml', values: { order: ['both'] } }, 'mesh.yaml: order'],
  ])('name where a wrong value comes from: %#', (words, environment, file, where) => {
    expect(thrownBy(() => read(TABLE, words, environment, file)).where).toBe(where)
  })
})

describe('an address without a host', () => {
  const where = {
    listen: listenFlag('listen', 'where it listens'),
    upstream: addressFlag('upstream', 'what it is before'),
  }

  it.each([':8080', '8080'])('is all IPv4 addresses to listen on, and this machine to connect to: %s', (text) => {
    expect(read(where, ['--listen', text, '--upstream', text])).toEqual({
      listen: { address: '0.0.0.0', port: 8080 },
      upstream: { address: '127.0.0.1', port: 8080 },
    })
    expect(where.listen.about).toBe('where it listens; without a host, all IPv4 addresses')
  })

  it('is all addresses where it says so', () => {
    expect(read(where, ['--listen', '[::]:8080']).listen).toEqual({ address: '::', port: 8080 })
  })
})

describe('mesh.yaml', () => {
  function config(text: string): ReturnType<typeof readConfig> {
    const folder = mkdtempSync(join(tmpdir(), 'mesh-config-'))
    try {
      const file = join(folder, 'mesh.yaml')
      writeFileSync(file, text)
      return readConfig(file)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it('holds flags by verb, and routes', () => {
    const read = config("capture: { mask: ['field:email'], sample: 0.5, keep-secrets: true }\nroutes: ['/users/:id']\n")
    expect(read.sections['capture']).toEqual({ mask: ['field:email'], sample: ['0.5'], 'keep-secrets': ['true'] })
    expect(read.routes).toEqual(['/users/:id'])
  })

  it('may be empty', () => {
    expect(config('').sections).toEqual({})
  })

  it.each([
    ['replai: {}', 'MESH_ERR_USAGE'],
    ['capture: {a: {b: c}}', 'MESH_ERR_USAGE'],
    ['replay: [1]', 'MESH_ERR_USAGE'],
    ['replay: {a', 'MESH_ERR_USAGE'],
    ['routes: [users]', 'MESH_ERR_USAGE'],
  ])('is refused where it is "%s"', (text, code) => {
    const error = thrownBy(() => config(text))
    expect(error.code).toBe(code)
    expect(error.where).toContain('mesh.yaml')
  })

  it('is refused with the section that was meant', () => {
    expect(thrownBy(() => config('replai: {}'))).toMatchObject({
      what: 'unknown section "replai"',
      remedy: 'did you mean replay?',
    })
  })

  it('must be there where it is named', () => {
    expect(thrownBy(() => readConfig('/nowhere/mesh.yaml')).code).toBe('MESH_ERR_FILE_NOT_FOUND')
  })
})
