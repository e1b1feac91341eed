import { asBuffer, equalBytes, latin1 } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import { MAGIC } from './mcap.ts'

/** How many bytes tell what a file is. */
export const KIND_BYTES = 512

const SIGNATURES: readonly [hex: string, kind: string, remedy: string][] = [
  ['d4c3b2a1', 'a pcap capture', 'read it with `mesh capture pcap`'],
  ['a1b2c3d4', 'a pcap capture', 'read it with `mesh capture pcap`'],
  ['4d3cb2a1', 'a pcap capture', 'read it with `mesh capture pcap`'],
  ['a1b23c4d', 'a pcap capture', 'read it with `mesh capture pcap`'],
  ['0a0d0d0a', 'a pcapng capture', 'read it with `mesh capture pcap`'],
  ['1f8b', 'a gzip file', 'read it with `mesh capture pcap` or `mesh capture import`'],
  ['28b52ffd', 'a zstd file', 'unpack it first'],
  ['504b0304', 'a zip file', 'unpack it first'],
  ['53514c69746520666f726d61742033', 'an SQLite database', ''],
  ['7f454c46', 'a program', ''],
]

/**
 * Throws where the first bytes of a file are not an MCAP file's: `MESH_ERR_FILE_KIND` with what they seem to be, or
 * `MESH_ERR_FILE_CUT` where there are too few to tell but what is there fits.
 */
export function requireMcap(start: Uint8Array, where: string): void {
  if (start.length >= MAGIC.length && equalBytes(start.subarray(0, MAGIC.length), MAGIC)) return
  if (start.length > 0 && start.length < MAGIC.length && equalBytes(start, MAGIC.subarray(0, start.length))) {
    throw tooShort(start.length, where)
  }
  const [kind, remedy] = seemingKind(start)
  const facts = { what: `expected a recording (.mcap), found ${kind}`, where: `${where}, offset 0` }
  throw new MeshError('MESH_ERR_FILE_KIND', remedy === '' ? facts : { ...facts, remedy })
}

/** The error for a recording that ends before it says what it is. */
export function tooShort(size: number, where: string): MeshError {
  return new MeshError('MESH_ERR_FILE_CUT', {
    what: `expected a recording, found only the first ${size} bytes of one`,
    where: `${where}, offset ${size}`,
    remedy: 'it was cut before anything was recorded',
  })
}

function seemingKind(start: Uint8Array): [kind: string, remedy: string] {
  if (start.length === 0) return ['an empty file', '']
  const hex = asBuffer(start).toString('hex', 0, 16)
  for (const [signature, kind, remedy] of SIGNATURES) if (hex.startsWith(signature)) return [kind, remedy]
  const text = latin1(start, 0, Math.min(start.length, KIND_BYTES))
  const imports = 'import it with `mesh capture import`'
  if (/^[123] [0-9a-f]{8,40} \d+( -?\d+)?\r?\n/.test(text)) return ['a GoReplay file', imports]
  if (/^\uFEFF?(\u00EF\u00BB\u00BF)?\s*\{\s*"log"\s*:/.test(text)) return ['a HAR file', imports]
  if (/^(\u00EF\u00BB\u00BF)?\s*[{[]/.test(text)) return ['JSON text', imports]
  return isText(start) ? ['text', ''] : ['a file of another kind', '']
}

/** No control characters but tab, line feed and their like. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))
}
