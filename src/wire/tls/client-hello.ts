const HANDSHAKE_RECORD = 0x16
const MAJOR_VERSION = 0x03
const CLIENT_HELLO = 0x01

/**
 * Are these the first bytes of a TLS client (RFC 8446 5.1)? A handshake record of SSL 3.0 to TLS 1.3, whose first message is a
 * ClientHello: `16 03 xx length(2) 01`. undefined: too few to tell.
 */
export function isClientHello(head: Uint8Array): boolean | undefined {
  const [type, major, minor, , , message] = head
  if (type !== undefined && type !== HANDSHAKE_RECORD) return false
  if (major !== undefined && major !== MAJOR_VERSION) return false
  if (minor !== undefined && minor > 4) return false
  return message === undefined ? undefined : message === CLIENT_HELLO
}

/** Longest record: 2^14 bytes of text and 2,048 of expansion (RFC 5246 6.2.3). */
const MAX_RECORD_LENGTH = 2 ** 14 + 2048

/**
 * May a TLS record of any kind begin here? For a connection whose beginning was not seen. undefined: too few to tell.
 */
export function isTlsRecord(head: Uint8Array): boolean | undefined {
  const [type, major, minor, high, low] = head
  if (type !== undefined && (type < 0x14 || type > 0x17)) return false
  if (major !== undefined && major !== MAJOR_VERSION) return false
  if (minor !== undefined && minor > 4) return false
  if (high === undefined || low === undefined) return undefined
  return high * 256 + low <= MAX_RECORD_LENGTH
}
