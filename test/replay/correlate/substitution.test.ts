import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes, utf8Bytes } from '../../../src/core/bytes.ts'
import { ESCAPES, percentDecoded } from '../../../src/replay/correlate/escape.ts'
import type { SentValue } from '../../../src/replay/correlate/sent-values.ts'
import { sentValues } from '../../../src/replay/correlate/sent-values.ts'
import type { ShotPlan } from '../../../src/replay/correlate/shot-plan.ts'
import { substitute } from '../../../src/replay/correlate/substitute.ts'
import { ValueJar } from '../../../src/replay/correlate/value-jar.ts'

const VALUE = 'a1b2c3d4'

/** A request with the value in every place that there is, and others around it. */
const BODIES = {
  form: ['application/x-www-form-urlencoded', `a=b&csrf=${VALUE}&z=%20`],
  json: ['application/json; charset=utf-8', `{"note":"größer","order":{"ids":[7,"${VALUE}"]},"last":true}`],
} as const

function requestWith(kind: keyof typeof BODIES): Uint8Array {
  const [type, body] = BODIES[kind]
  const bytes = utf8Bytes(body)
  const head = [
    `POST /shop/orders/${VALUE}/items?first=1&code=${VALUE}&last HTTP/1.1`,
    'Host: shop',
    `Cookie: theme=dark; sid=${VALUE}; lang=en`,
    `Content-Length:  ${bytes.length}`,
    `Authorization: Bearer ${VALUE}`,
    `X-Csrf-Token: ${VALUE}`,
    `Content-Type: ${type}`,
  ]
  return Buffer.concat([latin1Bytes(`${head.join('\r\n')}\r\n\r\n`), bytes])
}

function valuesOf(bytes: Uint8Array): readonly SentValue[] {
  const text = latin1(bytes)
  const bodyStart = text.indexOf('\r\n\r\n') + 4
  return sentValues({ head: text.slice(0, bodyStart), body: text.slice(bodyStart), bodyStart, pathPrefix: '/shop' })
}

/** What replaces each place's value by that of slot 1. */
function planOf(bytes: Uint8Array, places: readonly string[]): ShotPlan {
  const text = latin1(bytes)
  const length = /content-length: +(\d+)/i.exec(text)
  const lengthEnd = (length?.index ?? 0) + (length?.[0].length ?? 0)
  const sinks = valuesOf(bytes)
    .filter(({ place }) => places.includes(place))
    .map(({ start, end, escape }) => ({ slot: 1, start, end, escape, required: true }))
    .toSorted((a, b) => a.start - b.start)
  expect(sinks).toHaveLength(places.length)
  const lengthStart = lengthEnd - (length?.[1] ?? '').length
  return { ticket: 0, sources: [], waits: [], sinks, lengthStart, lengthEnd, bodyStart: text.indexOf('\r\n\r\n') + 4 }
}

const PLACES = ['path 2', 'query code', 'cookie sid', 'header authorization', 'header x-csrf-token']

/** Not what would make another path of a path segment. */
const isSegment = (text: string): boolean => text !== '.' && text !== '..'

/** Anything, and what has a meaning in one of the places. */
const anyText = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...'%&=+;,"\\/?#. :<>\u0000\n\ud800€ü0', '😀'), minLength: 1, maxLength: 12 }),
  )
  .filter(isSegment)
/** What a header can hold: its ends are not white space, which is no part of a value. */
const headerText = fc.stringMatching(/^[!-~\u00a1-\u00ff]{1,40}$/).filter(isSegment)
const PLAIN_HEADER = new Set(['header authorization', 'header x-csrf-token'])

/** The request with the value in slot 1. */
function replace(bytes: Uint8Array, plan: ShotPlan, value: string | undefined): Uint8Array | undefined {
  const jar = new ValueJar()
  if (value !== undefined) jar.put(1, value)
  // In the middle of other bytes, as in a batch.
  const around = Buffer.concat([utf8Bytes('before'), bytes, utf8Bytes('after')])
  const replaced = substitute(around, 6, 6 + bytes.length, plan, jar)
  return replaced === 'lost' ? undefined : replaced === 'same' ? bytes : replaced
}

describe('a value in a request', () => {
  it.each(['form', 'json'] as const)('is found in every place, with a %s body, as it was written', (kind) => {
    const bytes = requestWith(kind)
    const places = valuesOf(bytes).filter(({ value }) => value === VALUE)
    expect(places.map(({ place }) => place).toSorted()).toEqual(
      [...PLACES, kind === 'form' ? 'form csrf' : 'json .order.ids[1]'].toSorted(),
    )
    for (const { start, end, escape } of places) {
      const written = latin1(bytes.subarray(start, end))
      expect(written).toBe(escape === 'json-string' ? `"${VALUE}"` : VALUE)
    }
  })

  it.each(['form', 'json'] as const)('can be replaced by any other: it reads back, with a %s body', (kind) => {
    const bytes = requestWith(kind)
    const all = [...PLACES, kind === 'form' ? 'form csrf' : 'json .order.ids[1]']
    const before = new Map(valuesOf(bytes).map(({ place, value }) => [place, value]))
    fc.assert(
      fc.property(anyText, headerText, fc.subarray(all, { minLength: 1 }), (text, plain, places) => {
        const value = places.some((place) => PLAIN_HEADER.has(place)) ? plain : text
        const replaced = replace(bytes, planOf(bytes, places), value)
        expect(replaced).toBeDefined()
        const after = new Map(valuesOf(replaced ?? bytes).map((one) => [one.place, one.value]))
        // A half of a surrogate pair is no text that a URL can hold.
        const whole = value.replaceAll(/\p{Surrogate}/gu, '\uFFFD')
        for (const [place, was] of before) {
          const now = after.get(place) ?? ''
          if (!places.includes(place)) expect([place, now]).toEqual([place, was])
          else if (place.startsWith('cookie ')) expect([now, percentDecoded(now, false)]).toContain(whole)
          else expect([place, now]).toEqual([place, place.startsWith('json ') ? value : whole])
        }
        expect([...after.keys()]).toEqual([...before.keys()])
        const written = latin1(replaced ?? bytes)
        const length = Number(/content-length: +(\d+)/i.exec(written)?.[1])
        expect(length).toBe(written.length - written.indexOf('\r\n\r\n') - 4)
      }),
    )
  })

  it.each(['line\r\nx-injected: 1', 'snow\u2603', 'nul\0'])('that a header cannot hold replaces none: %j', (value) => {
    const bytes = requestWith('form')
    expect(replace(bytes, planOf(bytes, ['header x-csrf-token']), value)).toBeUndefined()
  })

  it.each(['', '.', '..'])('that would make another path of a path segment replaces none: %j', (value) => {
    const bytes = requestWith('form')
    expect(replace(bytes, planOf(bytes, ['path 2']), value)).toBeUndefined()
    expect(replace(bytes, planOf(bytes, ['query code']), value)).toBeDefined()
  })

  it.each([
    ['a "b" c', 'a "b" c'],
    ['a;b', 'a%3Bb'],
    ['a\r\nb', 'a%0D%0Ab'],
  ])('stands in a cookie as browsers send it, unless it would end it: %j', (value, written) => {
    const bytes = requestWith('form')
    const text = latin1(replace(bytes, planOf(bytes, ['cookie sid']), value) ?? bytes)
    expect(text).toContain(`\r\nCookie: theme=dark; sid=${written}; lang=en\r\n`)
  })

  it('has names of JSON beyond ASCII as they are meant', () => {
    const head = 'PUT / HTTP/1.1\r\nContent-Type: application/json\r\n\r\n'
    const bytes = Buffer.concat([latin1Bytes(head), utf8Bytes('{"größe":"ü"}')])
    expect(valuesOf(bytes)).toEqual([expect.objectContaining({ place: 'json ["größe"]', value: 'ü' })])
  })

  it('that is missing leaves the request unsent, or as recorded where it may be', () => {
    const bytes = requestWith('form')
    const plan = planOf(bytes, ['cookie sid'])
    expect(replace(bytes, plan, undefined)).toBeUndefined()
    const optional = { ...plan, sinks: plan.sinks.map((sink) => ({ ...sink, required: false })) }
    expect(replace(bytes, optional, undefined)).toBe(bytes)
  })

  it.each(['form', 'json'] as const)(
    'changes no byte but those in its place, of its own request, with a %s body',
    (kind) => {
      const bytes = requestWith(kind)
      const all = valuesOf(bytes).filter(({ value }) => value === VALUE)
      const lengths = fc.array(fc.integer({ min: 0, max: 2 * VALUE.length }), {
        minLength: all.length,
        maxLength: all.length,
      })
      fc.assert(
        fc.property(fc.subarray(all, { minLength: 1 }), lengths, (places, sizes) => {
          const plan = planOf(
            bytes,
            places.map(({ place }) => place),
          )
          const sinks = plan.sinks.map((sink, slot) => ({ ...sink, slot }))
          const written = sinks.map((_, slot) => latin1Bytes('x'.repeat(sizes[slot] ?? 0)))
          const around = Buffer.concat([utf8Bytes('before'), bytes, utf8Bytes('after')])
          const replaced = substitute(
            around,
            6,
            6 + bytes.length,
            { ...plan, sinks },
            {
              has: (slot) => slot < written.length,
              bytesOf: (slot) => written[slot],
            },
          )
          let expected = latin1(bytes)
          for (const { slot, start, end } of sinks.toReversed()) {
            expected = expected.slice(0, start) + latin1(written[slot] ?? bytes) + expected.slice(end)
          }
          const bodySize = expected.length - expected.indexOf('\r\n\r\n') - 4
          expected = expected.replace(/(content-length: +)\d+/i, `$1${bodySize}`)
          expect(typeof replaced === 'string' ? replaced : latin1(replaced)).toBe(expected)
          expect(latin1(around.subarray(0, 6))).toBe('before')
          expect(latin1(around.subarray(6 + bytes.length))).toBe('after')
        }),
      )
    },
  )

  it('that cannot be sent leaves the recorded bytes as they are', () => {
    const bytes = requestWith('form')
    const around = Buffer.from(bytes)
    const plan = planOf(bytes, ['query code', 'header x-csrf-token'])
    const jar = new ValueJar()
    jar.put(1, 'nul\0')
    expect(substitute(around, 0, bytes.length, plan, jar)).toBe('lost')
    expect(latin1(around)).toBe(latin1(bytes))
  })

  it('keeps no memory but its own while its session lasts', () => {
    const jar = new ValueJar()
    jar.put(1, VALUE)
    for (const escape of ESCAPES) {
      const bytes = jar.bytesOf(1, escape) ?? new Uint8Array(0)
      expect(bytes.length).toBeGreaterThanOrEqual(VALUE.length)
      expect(bytes.buffer.byteLength).toBe(bytes.length)
    }
  })

  it('stays a number in JSON where the new one is, and becomes a string where it is not', () => {
    const body = '{"id":17}'
    const head = `PUT / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    const bytes = latin1Bytes(head + body)
    const plan = planOf(bytes, ['json .id'])
    const bodyWith = (value: string): string => latin1(replace(bytes, plan, value) ?? bytes).split('\r\n\r\n')[1] ?? ''
    expect(bodyWith('123456789012345678901')).toBe('{"id":123456789012345678901}')
    expect(bodyWith('a"b')).toBe(String.raw`{"id":"a\"b"}`)
    expect(bodyWith('01')).toBe('{"id":"01"}')
  })
})
