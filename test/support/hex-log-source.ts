import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Source } from '../../src/capture/source.ts'
import { MeshError } from '../../src/core/errors.ts'
import type { Direction, Segment } from '../../src/core/segment.ts'

const LINE = /^(\d+) (\d+) ([<>])([0-9a-f]*)$/

/** A log of hexadecimal bytes, a line a piece: `<ms> <connection> ><hex>` from the client, `<<hex>` back. */
export class HexLogSource implements Source {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  async *segments(signal: AbortSignal): AsyncIterable<readonly Segment[]> {
    const seen = new Map<number, Record<Direction, number>>()
    let lineNumber = 0
    for await (const line of createInterface({ input: createReadStream(this.#path) })) {
      if (signal.aborted) return
      lineNumber++
      yield this.#read(line, lineNumber, seen)
    }
  }

  #read(line: string, lineNumber: number, seen: Map<number, Record<Direction, number>>): readonly Segment[] {
    const [, ms, ordinal, mark, hex] = LINE.exec(line) ?? []
    if (hex === undefined) {
      throw new MeshError('MESH_ERR_FILE_CORRUPT', {
        what: `expected "<ms> <connection> >hex", found "${line.slice(0, 40)}"`,
        where: `${this.#path}, line ${lineNumber}`,
      })
    }
    const connection = Number(ordinal)
    const atNs = Number(ms) * 1e6
    const bytes = Buffer.from(hex, 'hex')
    const direction = mark === '>' ? 'request' : 'response'
    const known = seen.get(connection)
    const received = known ?? { request: 0, response: 0 }
    seen.set(connection, received)
    const acknowledged = received[direction === 'request' ? 'response' : 'request']
    received[direction] += bytes.length
    const data: Segment = { kind: 'data', connection, direction, atNs, bytes, acknowledged }
    if (known !== undefined) return [data]
    const client = { address: '192.0.2.1', port: 1024 + connection }
    const server = { address: '192.0.2.2', port: 80 }
    return [{ kind: 'open', connection, atNs, client, server, midStream: false }, data]
  }
}
