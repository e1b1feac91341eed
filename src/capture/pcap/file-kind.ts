import { latin1 } from '../../core/bytes.ts'

const UNPACK = 'unpack it and pipe it in: … | mesh capture pcap -'
const IMPORT = 'use `mesh capture import`'

/** Beginnings of files that people hand to a packet reader by mistake, as text of one character a byte. */
const KINDS: readonly (readonly [start: string, what: string, remedy: string])[] = [
  ['\x1f\x8b', 'gzip inside gzip', UNPACK],
  ['\x28\xb5\x2f\xfd', 'a zstd file', UNPACK],
  ['\xfd7zXZ\0', 'an xz file', UNPACK],
  ['\x04\x22\x4d\x18', 'an lz4 file', UNPACK],
  ['BZh', 'a bzip2 file', UNPACK],
  ['PK\x03\x04', 'a zip archive', UNPACK],
  ['\x89MCAP0\r\n', 'a recording', 'it is recorded already: use `mesh inspect` or `mesh replay`'],
  ['snoop\0\0\0', 'a Solaris snoop file', 'convert it with `editcap -F pcap OLD NEW`'],
  ['{', 'JSON', `is it a HAR? ${IMPORT}`],
  ['\xef\xbb\xbf{', 'JSON', `is it a HAR? ${IMPORT}`],
  ['1 ', 'text', `is it a .gor file? ${IMPORT}`],
  ['2 ', 'text', `is it a .gor file? ${IMPORT}`],
]

/** Names what a file is that is not a capture, by its first bytes, and says what can be done with it. */
export function foundKind(bytes: Uint8Array): { what: string; remedy: string } {
  if (bytes.length === 0) return { what: 'nothing: it is empty', remedy: 'capture again' }
  const head = latin1(bytes, 0, Math.min(bytes.length, 8))
  for (const [start, what, remedy] of KINDS) if (head.startsWith(start)) return { what, remedy }
  const hex = Buffer.from(head.slice(0, 4), 'latin1').toString('hex')
  return { what: `a file that begins with ${hex}`, remedy: 'record one with `tcpdump -w FILE`' }
}
