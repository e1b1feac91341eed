import { NO_BYTES } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type {
  CutReason,
  Exchange,
  LateResponse,
  Message,
  MissingResponse,
  ProtocolName,
  Response,
} from '../core/exchange.ts'
import type { Endpoint } from '../core/segment.ts'
import { ByteCursor } from './byte-cursor.ts'
import { CUT_NUMBERS, MISSING_NUMBERS, PROTOCOL_NUMBERS } from './exchange-encoder.ts'

const PROTOCOLS = namesByNumber<ProtocolName>(PROTOCOL_NUMBERS)
const CUTS = namesByNumber<CutReason>(CUT_NUMBERS)
const MISSINGS = namesByNumber<MissingResponse>(MISSING_NUMBERS)

function namesByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  const names = new Map<number, Name>()
  for (const name in numbers) names.set(numbers[name], name)
  return names
}

const NOWHERE: Endpoint = { address: '', port: 0 }
const NO_MESSAGE: Message = { head: NO_BYTES, body: NO_BYTES, trailers: NO_BYTES, bodySize: 0, cut: undefined }

/**
 * Reads `mesh.v1.Exchange` and `mesh.v1.LateResponse` from the bytes of one chunk, by hand for the same reason as they are written so.
 * The bytes of heads and bodies are views of the chunk. Fields it does not know are passed over.
 */
export class ExchangeDecoder {
  readonly #cursor: ByteCursor
  #lastServer: Endpoint = NOWHERE

  constructor(chunk: Uint8Array) {
    this.#cursor = new ByteCursor(chunk)
  }

  /** The exchange from `start` to `end` of the chunk, whose request's first byte was at `firstNs`. */
  exchange(start: number, end: number, firstNs: number): Exchange {
    const cursor = this.#cursor
    cursor.enter(start, end)
    let id = 0
    let connection = 0
    let position = 0
    let session = ''
    let protocol = 0
    let secure = false
    let client = NOWHERE
    let server = NOWHERE
    let request = NO_MESSAGE
    let lastNs = firstNs
    let response: Response | MissingResponse = 'absent'
    while (cursor.position < end) {
      const tag = cursor.varint()
      if (tag === 0x08) id = cursor.varint()
      else if (tag === 0x10) connection = cursor.varint()
      else if (tag === 0x18) position = cursor.varint()
      else if (tag === 0x22) session = cursor.text()
      else if (tag === 0x28) protocol = cursor.varint()
      else if (tag === 0x30) secure = cursor.varint() !== 0
      else if (tag === 0x3a) client = this.#endpoint(NOWHERE)
      else if (tag === 0x42) server = this.#lastServer = this.#endpoint(this.#lastServer)
      else if (tag === 0x4a) request = this.#message()
      else if (tag === 0x50) lastNs = firstNs + cursor.signed()
      else if (tag === 0x5a) response = this.#response(firstNs)
      else if (tag === 0x60) response = MISSINGS.get(cursor.varint()) ?? 'absent'
      else cursor.skip(tag)
    }
    return {
      id,
      connection,
      position,
      session,
      protocol: PROTOCOLS.get(protocol) ?? unknownProtocol(protocol),
      secure,
      client,
      server,
      request,
      requestFirstNs: firstNs,
      requestLastNs: lastNs,
      response,
    }
  }

  /** The late response from `start` to `end` of the chunk, whose last byte was at `lastNs`. */
  lateResponse(start: number, end: number, lastNs: number): LateResponse {
    const cursor = this.#cursor
    cursor.enter(start, end)
    let exchangeId = 0
    let response: Response = { ...NO_MESSAGE, firstNs: lastNs, lastNs }
    while (cursor.position < end) {
      const tag = cursor.varint()
      if (tag === 0x08) exchangeId = cursor.varint()
      else if (tag === 0x12) response = this.#response(lastNs)
      else cursor.skip(tag)
    }
    return { exchangeId, response }
  }

  /** An endpoint; `known` itself where it is equal, since one server serves a whole recording. */
  #endpoint(known: Endpoint): Endpoint {
    const cursor = this.#cursor
    const end = cursor.sizedEnd()
    const outerEnd = cursor.end
    cursor.end = end
    let address = ''
    let port = 0
    while (cursor.position < end) {
      const tag = cursor.varint()
      if (tag === 0x0a) address = cursor.text()
      else if (tag === 0x10) port = cursor.varint()
      else cursor.skip(tag)
    }
    cursor.end = outerEnd
    return known.port === port && known.address === address ? known : { address, port }
  }

  #message(): Message {
    const cursor = this.#cursor
    const end = cursor.sizedEnd()
    const outerEnd = cursor.end
    cursor.end = end
    let head = NO_BYTES
    let body = NO_BYTES
    let trailers = NO_BYTES
    let bodySize = 0
    let cut: CutReason | undefined
    while (cursor.position < end) {
      const tag = cursor.varint()
      if (tag === 0x0a) head = cursor.borrowBytes()
      else if (tag === 0x12) body = cursor.borrowBytes()
      else if (tag === 0x1a) trailers = cursor.borrowBytes()
      else if (tag === 0x20) bodySize = cursor.varint()
      else if (tag === 0x28) cut = cutReason(cursor.varint())
      else cursor.skip(tag)
    }
    cursor.end = outerEnd
    return { head, body, trailers, bodySize, cut }
  }

  #response(originNs: number): Response {
    const cursor = this.#cursor
    const end = cursor.sizedEnd()
    const outerEnd = cursor.end
    cursor.end = end
    let head = NO_BYTES
    let body = NO_BYTES
    let trailers = NO_BYTES
    let bodySize = 0
    let cut: CutReason | undefined
    let firstNs = originNs
    let lastNs = originNs
    while (cursor.position < end) {
      const tag = cursor.varint()
      if (tag === 0x0a) head = cursor.borrowBytes()
      else if (tag === 0x12) body = cursor.borrowBytes()
      else if (tag === 0x1a) trailers = cursor.borrowBytes()
      else if (tag === 0x20) bodySize = cursor.varint()
      else if (tag === 0x28) cut = cutReason(cursor.varint())
      else if (tag === 0x30) firstNs = originNs + cursor.signed()
      else if (tag === 0x38) lastNs = originNs + cursor.signed()
      else cursor.skip(tag)
    }
    cursor.end = outerEnd
    return { head, body, trailers, bodySize, cut, firstNs, lastNs }
  }
}

/** A reason that a newer version knows still means that the message is not whole. */
function cutReason(number: number): CutReason | undefined {
  return number === 0 ? undefined : (CUTS.get(number) ?? 'undecodable')
}

function unknownProtocol(number: number): never {
  throw new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: `expected a protocol from 1 to ${PROTOCOLS.size}, found ${number}`,
    remedy: 'a newer version of mesh may have written this recording',
  })
}
