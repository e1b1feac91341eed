import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, utf8Bytes } from '../../src/core/bytes.ts'
import { namedRequest, renameIdentities } from '../../src/replay/clone-identity.ts'

const UUID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

function request(...lines: string[]): Uint8Array {
  return utf8Bytes(`${['POST /a HTTP/1.1', ...lines].join('\r\n')}\r\n\r\nX-Request-Id: body`)
}

/** The request as a clone sends it. */
function renamed(sent: Uint8Array, generation: number): string {
  const { bytes, identities } = namedRequest(sent)
  const copy = new Uint8Array(bytes.length + 3)
  copy.set(bytes, 3)
  renameIdentities(copy, 3, identities, generation)
  return latin1(copy, 3)
}

describe('the names of a clone', () => {
  it.each([
    [`X-Request-ID: ${UUID}`, /^X-Request-ID: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-b[0-9a-f]{3}-[0-9a-f]{12}$/],
    ['Idempotency-Key: order-42-ABC', /^Idempotency-Key: [a-z]{5}-\d\d-[A-Z]{3}$/],
    [`traceparent: ${TRACE}`, /^traceparent: 00-[0-9a-f]{32}-00f067aa0ba902b7-01$/],
  ])('keep the form of %s and differ', (line, form) => {
    const bytes = request('Host: a', line, 'X-Other: 123')
    const lines = [1, 2, 3].map((generation) => renamed(bytes, generation).split('\r\n')[2] ?? '')
    for (const other of lines) expect(other).toMatch(form)
    expect(new Set([line, ...lines]).size).toBe(4)
  })

  it('leave everything else alone, the body too, and stand beside what they were', () => {
    const bytes = request('Host: a1', `X-Request-Id: ${UUID} `, 'Cookie: id=abc123', `traceparent: ${TRACE}`)
    const [head = '', body] = renamed(bytes, 7).split('\r\n\r\n')
    expect(head.replaceAll(/(?<=^(?:X-Request-Id|traceparent): )\S+/gm, '...').split('\r\n')).toEqual([
      'POST /a HTTP/1.1',
      'Host: a1',
      'X-Request-Id: ... ',
      'Cookie: id=abc123',
      'traceparent: ...',
      `x-mesh-original-x-request-id: ${UUID}`,
      `x-mesh-original-traceparent: ${TRACE}`,
    ])
    expect(body).toBe('X-Request-Id: body')
  })

  it('are not looked for where there are none', () => {
    const bytes = request('Host: a1', 'Cookie: x-request-id=1')
    expect(namedRequest(bytes)).toEqual({ bytes, identities: [] })
  })

  it('are the same for the same clone, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.integer({ min: 1, max: 1e6 }), (value, generation) => {
        const bytes = request(`x-request-id: ${value.replaceAll(/[^\x20-\x7e]/g, '')}`)
        expect(renamed(bytes, generation)).toBe(renamed(bytes, generation))
        expect(renamed(bytes, generation).length).toBe(namedRequest(bytes).bytes.length)
      }),
    )
  })
})
