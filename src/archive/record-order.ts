import { asBuffer } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import { MAX_RECORD_BYTES, OPCODE, RECORD_HEAD_BYTES } from './mcap.ts'

/** A place where a file is not what a writer leaves, even one that was cut off at any byte. */
export interface Damage {
  readonly offset: number
  /** What was found there. */
  readonly what: string
  /** Chunks may stand behind it that nothing else tells of; false where all data were seen to end before it. */
  readonly hidesChunks: boolean
}

/** Records of one length, head included: https://mcap.dev/spec#footer-op0x02 and #data-end-op0x0f. */
const FIXED_LENGTHS: ReadonlyMap<number, number> = new Map([
  [OPCODE.footer, RECORD_HEAD_BYTES + 20],
  [OPCODE.dataEnd, RECORD_HEAD_BYTES + 4],
])

/** A MessageIndex record before its entries: head, channel (2), length of the entries (4). */
const INDEX_HEAD_BYTES = RECORD_HEAD_BYTES + 6

/** What must not come behind the end of the data. */
const DATA: ReadonlySet<number> = new Set([OPCODE.header, OPCODE.chunk, OPCODE.messageIndex, OPCODE.dataEnd])

/** The order in which records of a recording come, as far as damage shows in it. */
export class RecordOrder {
  #last = 0
  #dataEnded = false

  /** All chunks were seen. */
  get isDataEnded(): boolean {
    return this.#dataEnded
  }

  /** The last record was the footer: nothing but the magic follows. */
  get isFooted(): boolean {
    return this.#last === OPCODE.footer
  }

  /** What is wrong with a record's head, or undefined. Whether its content is there does not matter. */
  wrongHead(opcode: number, length: number): string | undefined {
    const fixed = FIXED_LENGTHS.get(opcode)
    if (length > MAX_RECORD_BYTES) return `one of ${length} bytes, more than ${MAX_RECORD_BYTES}`
    if (fixed !== undefined && length !== fixed) return `one of ${length} bytes that has ${fixed}`
    if (this.#dataEnded && DATA.has(opcode)) return 'data behind their end'
    if (opcode === OPCODE.footer && !this.#dataEnded) return 'a footer before the end of the data'
    const isIndexable = this.#last === OPCODE.chunk || this.#last === OPCODE.messageIndex
    if (opcode === OPCODE.messageIndex && !isIndexable) return 'a message index without its chunk'
    return undefined
  }

  /** Takes a whole record whose head is right; gives what is wrong with it. `start` is its first bytes, at least 15 of them. */
  take(opcode: number, length: number, start: Uint8Array): string | undefined {
    if (opcode === OPCODE.messageIndex && !isWholeIndex(length, start)) return 'a message index of another length'
    this.#last = opcode
    this.#dataEnded ||= opcode === OPCODE.dataEnd
    return undefined
  }
}

function isWholeIndex(length: number, start: Uint8Array): boolean {
  return length >= INDEX_HEAD_BYTES && length === INDEX_HEAD_BYTES + asBuffer(start).readUInt32LE(RECORD_HEAD_BYTES + 2)
}

/** The CRC that a whole DataEnd record bears of all before it; undefined where it bears none. */
export function dataEndCrc(record: Uint8Array): number | undefined {
  const crc = asBuffer(record).readUInt32LE(RECORD_HEAD_BYTES)
  return crc === 0 ? undefined : crc
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** The error of reading behind a damaged place. `name` is the file's. */
export function damageError({ offset, what }: Damage, name: string): MeshError {
  return new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: `expected a record of a recording, found ${what}; what may stand behind it cannot be found`,
    where: `${name}, offset ${offset}`,
    remedy: '`mesh inspect --verify` lists what is damaged',
  })
}
