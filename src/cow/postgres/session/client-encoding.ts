import { asBuffer, utf8 } from '../../../core/bytes.ts'
import type { Refusal } from '../sql/rewriting.ts'

/** The characters of the bytes 0x80 to 0xff, in encodings of one byte a character, where the platform has PostgreSQL's tables. */
const TABLES: ReadonlyMap<string, string> = new Map([
  ['LATIN2', 'iso-8859-2'],
  ['LATIN3', 'iso-8859-3'],
  ['LATIN4', 'iso-8859-4'],
  ['LATIN7', 'iso-8859-13'],
  ['LATIN8', 'iso-8859-14'],
  ['LATIN9', 'iso-8859-15'],
  ['ISO_8859_5', 'iso-8859-5'],
  ['ISO_8859_7', 'iso-8859-7'],
  ['KOI8R', 'koi8-r'],
  ['KOI8U', 'koi8-u'],
  ['WIN866', 'ibm866'],
  ['WIN1250', 'windows-1250'],
  ['WIN1251', 'windows-1251'],
  ['WIN1253', 'windows-1253'],
  ['WIN1254', 'windows-1254'],
  ['WIN1256', 'windows-1256'],
  ['WIN1257', 'windows-1257'],
  ['WIN1258', 'windows-1258'],
])

/** Its bytes 0x80 to 0x9f, for which the platform gives those of LATIN1 (Node 20). */
const WIN1252_FIRST = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

/** Encodings whose texts are read and written here. */
export const READABLE_ENCODINGS: readonly string[] = ['UTF8', 'LATIN1', 'WIN1252', ...TABLES.keys()]

/** Ours goes into the client's text in its encoding, which may lack a character: better an error than another one. */
const UNWRITABLE = `DO LANGUAGE plpgsql 'BEGIN RAISE EXCEPTION USING ERRCODE = ''0A000'', MESSAGE = ''a name here has no form in the client''''s encoding'', HINT = ''SET client_encoding TO UTF8.''; END'`

/** How the client's backend reads and writes text. Pure ASCII is the same in all of PostgreSQL's encodings. */
export interface ClientEncoding {
  /** As PostgreSQL calls it. */
  readonly name: string
  /** UTF8, or SQL_ASCII, which on a server of UTF8 is the same. */
  readonly isUtf8: boolean
  /** Undefined: it cannot be known what the bytes mean. */
  decode(this: void, bytes: Uint8Array): string | undefined
  /** A text of ours; where it has no form in the encoding, one that fails. */
  encode(this: void, text: string): string | Uint8Array
}

/** The encoding of a name that PostgreSQL reports; `serverName` is that of the overlay's database. */
export function encodingOf(name: string, serverName: string): ClientEncoding {
  const effective = name === 'SQL_ASCII' ? serverName : name
  if (effective === 'UTF8') return { name, isUtf8: true, decode: decodeUtf8, encode: (text) => text }
  const table = tableOf(effective)
  if (table === undefined) return { name, isUtf8: false, decode: decodeAscii, encode: encodeAscii }
  const codes = new Map(Array.from(table, (character, place) => [character, 0x80 + place]))
  return {
    name,
    isUtf8: false,
    decode: (bytes) => decodeByTable(bytes, table),
    encode: (text) => encodeByTable(text, codes),
  }
}

/** Is every character of the text, which was read as UTF-8 from so many bytes, one byte of ASCII? */
export function isAsciiOf(text: string, byteLength: number): boolean {
  return text.length === byteLength && !text.includes(REPLACEMENT)
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** What is told of a text whose meaning cannot be known. */
export function unreadable({ name }: ClientEncoding): Refusal {
  return {
    code: '0A000',
    message: `a statement with text that is not ASCII cannot be read in the encoding ${name}`,
    hint: 'SET client_encoding TO UTF8, or give the text as a parameter.',
  }
}

const REPLACEMENT = '\uFFFD'

function tableOf(name: string): string | undefined {
  const upper = Uint8Array.from({ length: 128 }, (_, place) => 0x80 + place)
  const latin1 = asBuffer(upper).toString('latin1')
  if (name === 'LATIN1') return latin1
  if (name === 'WIN1252') return WIN1252_FIRST + latin1.slice(WIN1252_FIRST.length)
  const label = TABLES.get(name)
  if (label === undefined) return undefined
  // A byte without a character is one of the private use area: it goes back as it came, and PostgreSQL refuses it.
  const decoder = new TextDecoder(label)
  return Array.from(upper, (byte) => {
    const character = decoder.decode(Uint8Array.of(byte))
    return character === REPLACEMENT ? String.fromCharCode(0xf700 + byte) : character
  }).join('')
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = utf8(bytes)
  return text.includes(REPLACEMENT) && !Buffer.from(text).equals(bytes) ? undefined : text
}

function decodeAscii(bytes: Uint8Array): string | undefined {
  const text = utf8(bytes)
  return isAsciiOf(text, bytes.length) ? text : undefined
}

function decodeByTable(bytes: Uint8Array, table: string): string {
  const one = asBuffer(bytes).toString('latin1')
  return one.replaceAll(/[\u0080-\u00ff]/g, (byte) => table.charAt(byte.charCodeAt(0) - 0x80))
}

function encodeAscii(text: string): string {
  return isAscii(text) ? text : UNWRITABLE
}

function encodeByTable(text: string, codes: ReadonlyMap<string, number>): string | Uint8Array {
  if (isAscii(text)) return text
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const byte = code < 0x80 ? code : codes.get(text.charAt(at))
    if (byte === undefined) return UNWRITABLE
    bytes[at] = byte
  }
  return bytes
}
