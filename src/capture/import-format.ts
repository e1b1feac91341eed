import { latin1, utf8 } from '../core/bytes.ts'

/** Formats that can be imported, or a phrase that says what the file seems to be instead. */
export type ImportFormat =
  | 'gor'
  | 'har'
  | 'a packet capture'
  | 'a recording of mesh'
  | 'nothing'
  | 'another kind of file'

const PCAP_MAGICS = new Set(['d4c3b2a1', 'a1b2c3d4', '4d3cb2a1', 'a1b23c4d', '0a0d0d0a'])

/** Tells a format by the first bytes of a file, inflated. */
export function importFormat(head: Uint8Array): ImportFormat {
  if (head.length === 0) return 'nothing'
  if (/^\n?[123] \S+ \d{1,19}( -?\d+)?\n/.test(latin1(head.subarray(0, 256)))) return 'gor'
  if (/^\uFEFF?\s*[{]/.test(utf8(head.subarray(0, 256)))) return 'har'
  if (PCAP_MAGICS.has(Buffer.from(head.subarray(0, 4)).toString('hex'))) return 'a packet capture'
  if (latin1(head.subarray(1, 5)) === 'MCAP') return 'a recording of mesh'
  return 'another kind of file'
}
