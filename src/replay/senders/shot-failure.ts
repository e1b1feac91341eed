import { systemCode } from '../../core/errors.ts'
import type { ShotError } from '../../core/outcome.ts'

const BY_CODE: Readonly<Record<string, ShotError>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  EACCES: 'unreachable',
  EPERM: 'unreachable',
  // With a source address the port is chosen by bind, which says EADDRINUSE; without, by connect.
  EADDRNOTAVAIL: 'no_ports',
  EADDRINUSE: 'no_ports',
  EMFILE: 'no_descriptors',
  ENFILE: 'no_descriptors',
  ENOBUFS: 'no_descriptors',
  ENOMEM: 'no_descriptors',
}

/**
 * The class of a socket's error. `established`: the TCP connection stood; `ready`: and the TLS handshake on it was done.
 * What breaks between the two is the handshake's.
 */
export function socketFailure(thrown: unknown, established: boolean, ready: boolean): ShotError {
  if (ready) return 'reset'
  if (established) return 'tls'
  const code = systemCode(thrown)
  if (code === 'ETIMEDOUT') return 'connect_timeout'
  return (code === undefined ? undefined : BY_CODE[code]) ?? 'reset'
}
