import { describe, expect, it } from 'vitest'
import type { Difference } from '../../src/compare/difference.ts'
import { Findings } from '../../src/compare/findings.ts'
import { compileIgnore } from '../../src/compare/ignore.ts'
import { Noise } from '../../src/compare/noise.ts'
import { thrownBy } from '../support/errors.ts'

function changed(...fields: string[]): Difference[] {
  return fields.map((field) => ({ field, kind: 'changed', production: '1', staging: '2' }))
}

describe('Findings', () => {
  it('groups replies by route and field, the most frequent first, with one example each', () => {
    const findings = new Findings()
    const asked: string[] = []
    const exampleOf = (field: string): { production: string; staging: string } => {
      asked.push(field)
      return { production: 'masked', staging: 'other' }
    }
    findings.add('GET /', changed('body.a'), exampleOf)
    findings.add('GET /', changed('body.a', 'body.b'), exampleOf)
    findings.add('GET /x', changed('status'), exampleOf)
    const { diverging, groups } = findings.report(new Noise())
    expect(diverging).toBe(3)
    expect(groups.map(({ route, field, count }) => [route, field, count])).toEqual([
      ['GET /', 'body.a', 2],
      ['GET /', 'body.b', 1],
      ['GET /x', 'status', 1],
    ])
    expect(asked).toEqual(['body.a', 'body.b', 'status'])
  })

  it('takes noise out that became known after the difference', () => {
    const findings = new Findings()
    findings.add('GET /', changed('body.now'), () => undefined)
    findings.add('GET /', changed('body.now', 'body.price'), () => undefined)
    const noise = new Noise()
    noise.observe('GET /', ['body.now'])
    const { diverging, noisy, groups } = findings.report(noise)
    expect({ diverging, noisy, fields: groups.map(({ field }) => field) }).toEqual({
      diverging: 1,
      noisy: 1,
      fields: ['body.price'],
    })
  })

  it('counts every reply, however many sets of fields there are', () => {
    const findings = new Findings()
    for (let number = 0; number < 10_000; number++) findings.add('GET /', changed(`body.f${number}`), () => undefined)
    expect(findings.report(new Noise()).diverging).toBe(10_000)
  })
})

describe('compileIgnore', () => {
  it.each([
    ['body.updatedAt', 'GET /', 'body.updatedAt', true],
    ['body.items', 'GET /', 'body.items[].price', true],
    ['body.items', 'GET /', 'body.itemsTotal', false],
    ['body.*.etag', 'GET /', 'body.items[].etag', true],
    ['GET /orders/:id body.total', 'GET /orders/:id', 'body.total', true],
    ['GET /orders/:id body.total', 'GET /orders', 'body.total', false],
    ['header.location', 'GET /', 'header.location', true],
  ])('%s, asked for %s %s, says %s', (rule, route, field, expected) => {
    expect(compileIgnore([rule], 'mesh.yaml')(route, field)).toBe(expected)
  })

  it('refuses what names no field', () => {
    const error = thrownBy(() => compileIgnore(['updatedAt'], 'mesh.yaml: ignore'))
    expect(error.message).toMatch(/expected a field such as body\.updatedAt.*found "updatedAt".*\(mesh\.yaml: ignore\)/)
  })
})
