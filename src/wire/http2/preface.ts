/** What an HTTP/2 client sends first (RFC 9113 3.4). */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Are these the first bytes of an HTTP/2 client that knows its server speaks it? undefined: too few to tell. */
export function isHttp2Preface(head: Uint8Array): boolean | undefined {
  for (let index = 0; index < PREFACE.length; index++) {
    const byte = head[index]
    if (byte === undefined) return undefined
    if (byte !== PREFACE.charCodeAt(index)) return false
  }
  return true
}
