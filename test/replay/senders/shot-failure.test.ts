import { describe, expect, it } from 'vitest'

import type { ShotError } from '../../../src/core/outcome.ts'
import { socketFailure } from '../../../src/replay/senders/shot-failure.ts'

const failure = (code: string): Error => Object.assign(new Error(code), { code })

describe('socketFailure', () => {
  const connecting: readonly (readonly [code: string, error: ShotError, why: string])[] = [
    ['ECONNREFUSED', 'refused', 'nobody listens'],
    ['ETIMEDOUT', 'connect_timeout', 'the system gave up'],
    ['ENOTFOUND', 'dns', 'the name is gone'],
    ['EHOSTUNREACH', 'unreachable', 'no way to the host'],
    ['ENETUNREACH', 'unreachable', 'no route'],
    ['EADDRNOTAVAIL', 'no_ports', 'connect found no local port'],
    ['EADDRINUSE', 'no_ports', 'bind to a source address found none'],
    ['EMFILE', 'no_descriptors', 'the limit of the process'],
    ['ENFILE', 'no_descriptors', 'the limit of the machine'],
    ['ECONNRESET', 'reset', 'reset at once'],
    ['EWHATEVER', 'reset', 'anything else'],
  ]
  it.each(connecting)('takes %s before the connection stands for `%s`: %s', (code, error) => {
    expect(socketFailure(failure(code), false, false)).toBe(error)
  })

  it('takes whatever breaks between connection and handshake for `tls`', () => {
    expect(socketFailure(failure('DEPTH_ZERO_SELF_SIGNED_CERT'), true, false)).toBe('tls')
    expect(socketFailure(failure('ECONNRESET'), true, false)).toBe('tls')
  })

  it('takes whatever breaks later for `reset`', () => {
    expect(socketFailure(failure('ECONNRESET'), true, true)).toBe('reset')
    expect(socketFailure(failure('EPIPE'), true, true)).toBe('reset')
    expect(socketFailure(failure('ETIMEDOUT'), true, true)).toBe('reset')
  })
})
