import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Config } from '../../src/cli/config.ts'
import { configJsonSchema, readConfig } from '../../src/cli/config.ts'
import { readEnvironment } from '../../src/cli/environments.ts'
import type { Environment } from '../../src/cli/environments.ts'
import { thrownBy } from '../support/errors.ts'
import { temporaryFolder } from '../support/mesh.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

function configOf(...lines: readonly string[]): Config {
  const file = folder.path('mesh.yaml')
  writeFileSync(file, `environments:\n  staging:\n${lines.map((line) => `    ${line}\n`).join('')}`)
  return readConfig(file)
}

function environmentOf(...lines: readonly string[]): Environment {
  const { environments, file } = configOf(...lines)
  const { staging } = environments
  if (staging === undefined) throw new Error('no environment')
  return readEnvironment('staging', staging, file)
}

describe('an environment', () => {
  it('allows no writes, has a live base and compares nothing unless it says so', () => {
    expect(environmentOf('url: http://staging:8080')).toEqual({
      name: 'staging',
      url: 'http://staging:8080',
      writes: false,
      headers: [],
      sample: undefined,
      base: 'live',
      compare: false,
      ignore: [],
      twin: undefined,
      timeoutNs: undefined,
      data: [],
    })
  })

  it('says what is sent, how much of it, and how replies are compared', () => {
    const environment = environmentOf(
      'url: https://staging',
      'writes: true',
      'headers: { x-tenant: test, x-shard: 7 }',
      'sample: 10%',
      'base: still',
      'timeout: 500ms',
      'compare: { ignore: [body.now], twin: "http://twin" }',
    )
    expect(environment).toMatchObject({
      writes: true,
      headers: [
        { name: 'x-tenant', value: 'test' },
        { name: 'x-shard', value: '7' },
      ],
      sample: 0.1,
      base: 'still',
      timeoutNs: 500e6,
      compare: true,
      ignore: ['body.now'],
      twin: 'http://twin',
    })
  })

  it.each([
    [['url: http://a', 'write: true'], /unknown setting "write".*environments\.staging/i],
    [['writes: true'], /expected string.*environments\.staging\.url/i],
    [['url: http://a', 'base: frozen'], /"live"\|"still".*environments\.staging\.base/],
    [['url: http://a', 'sample: 200%'], /expected a share.*found "200%".*environments\.staging\.sample/],
    [['url: http://a', 'timeout: soon'], /expected a duration.*found "soon".*environments\.staging\.timeout/],
    [['url: http://a', 'timeout: 0'], /more than zero.*environments\.staging\.timeout/],
    [['url: http://a', 'compare: { ignored: [] }'], /environments\.staging\.compare/],
  ])('is refused as %j, with the setting named', (lines, message) => {
    expect(thrownBy(() => environmentOf(...lines)).message).toMatch(message)
  })
})

describe('schema/mesh.schema.json', () => {
  it('is what scripts/make-schema.js makes of the schema that settings are checked with', () => {
    const file = new URL('../../schema/mesh.schema.json', import.meta.url)
    expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  })
})
