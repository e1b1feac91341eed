import { describe, expect, it } from 'vitest'
import { checkSection, foreignVariables, variableWarnings } from '../../src/cli/settings.ts'
import { thrownBy } from '../support/errors.ts'

const KNOWN = new Map([
  ['capture', ['max-body', 'upstream', 'config']],
  ['replay', ['to', 'amplify', 'max-rate']],
])

describe('a section of the settings file', () => {
  const check = (section: string, values: Record<string, string[]>): void =>
    checkSection(
      {
        file: 'mesh.yaml',
        sections: { [section]: values },
        routes: [],
        gates: [],
        rewrite: [],
        environments: {},
        correlate: { rules: [], forbid: [], times: [] },
      },
      section,
      KNOWN,
    )

  it('may hold what one of its verbs has as a flag', () => {
    expect(() => check('capture', { 'max-body': ['1KiB'], upstream: [':9'] })).not.toThrow()
    expect(() => check('replay', {})).not.toThrow()
  })

  it('is refused with file, name and the nearest name where it holds another', () => {
    expect(thrownBy(() => check('capture', { 'max-body': ['1KiB'], 'max-bodi': ['1KiB'] }))).toMatchObject({
      code: 'MESH_ERR_USAGE',
      what: 'unknown setting "max-bodi"',
      where: 'mesh.yaml: capture',
      remedy: 'did you mean max-body?',
    })
    expect(thrownBy(() => check('replay', { colour: ['red'] })).remedy).toContain('mesh replay --help')
  })

  it('cannot say which file it is in', () => {
    expect(thrownBy(() => check('capture', { config: ['x'] })).what).toBe('unknown setting "config"')
  })
})

describe('variables that are called like settings', () => {
  const environment = { MESH_TO: 'x', MESH_MAX_RATE: '1', MESH_EMPTY: '', PATH: '/bin', MESH_UPSTREM: 'y' }

  it('are foreign where no flag reads them and they hold something', () => {
    expect(foreignVariables(environment, ['to'])).toEqual(['MESH_MAX_RATE', 'MESH_UPSTREM'])
    expect(foreignVariables(environment, [...KNOWN.values()].flat())).toEqual(['MESH_UPSTREM'])
  })

  it('are told with the one that was meant, others together and not without end', () => {
    const others = Array.from({ length: 7 }, (_, index) => `MESH_SERVICE_PORT_${index}`)
    expect(variableWarnings(['MESH_UPSTREM', ...others], KNOWN)).toEqual([
      'MESH_UPSTREM is not a setting of mesh; did you mean MESH_UPSTREAM?',
      `${others.slice(0, 5).join(', ')} and 2 more are not settings of mesh`,
    ])
    expect(variableWarnings([], KNOWN)).toEqual([])
  })
})
