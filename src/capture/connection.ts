import type { LedgerFate, LedgerKeeper } from '../core/ledger.ts'
import type { CloseSegment, DataSegment, Direction, GapSegment, OpenSegment } from '../core/segment.ts'
import type {
  ConnectionDecoder,
  DecodeEvent,
  DecodeLimits,
  HeadEvent,
  OpaqueEvent,
  Protocol,
  UndecodableEvent,
} from '../wire/protocol.ts'
import { CapturedStream } from './captured-stream.ts'
import { ExchangePairing, type PairingContext } from './pair.ts'
import { HELD_LIMIT, type Verdict } from './verdict.ts'

/** What all connections of a recording share. */
export interface ConnectionContext extends PairingContext {
  readonly protocol: Protocol
  readonly decodeLimits: DecodeLimits
}

/** What a connection is settled by at its end, the worst that happened to it: a later name outdoes an earlier one. */
const FATES_BY_WEIGHT = [
  'whole',
  'cut',
  'midStream',
  'opaque',
  'undecodable',
  'dropped',
] as const satisfies LedgerFate[]
type ConnectionFate = (typeof FATES_BY_WEIGHT)[number]

const DECODER_FAILED: Verdict = { recorded: false, fate: 'undecodable', reason: 'decoder-failed' }

/**
 * One connection that is being recorded. Its bytes go through the decoder, the decoder's messages to the pairing; every byte
 * and the connection itself is settled in the ledger exactly once.
 *
 * Bytes `seen` are those that arrived and those known missing, so that the ledger balances with the fates `gap` and `dropped`.
 * Bytes of a message are settled with its exchange, everything else as it comes: chunk framing and interim responses are
 * `framing`, whatever the message they belong to became.
 */
export class ConnectionCapture {
  readonly #context: ConnectionContext
  readonly #ledger: LedgerKeeper
  readonly #requests = new CapturedStream()
  readonly #responses = new CapturedStream()
  readonly #pairing: ExchangePairing
  /** undefined once the connection was given up; then `#abandoned` says why. */
  #decoder: ConnectionDecoder | undefined
  #abandoned: Verdict = HELD_LIMIT
  #decoderBytes = 0
  #fate: ConnectionFate = 'whole'
  #fateReason: string | undefined

  constructor(open: OpenSegment, context: ConnectionContext) {
    this.#context = context
    this.#ledger = context.ledger
    this.#decoder = context.protocol.createDecoder(context.decodeLimits, open.midStream)
    this.#pairing = new ExchangePairing(open, context)
    if (open.midStream) this.#worsen('midStream', undefined)
    this.#ledger.see('connections')
  }

  /** Both directions are closed: everything is settled and nothing is held. */
  get over(): boolean {
    return this.#requests.over && this.#responses.over
  }

  /** Memory that its decoder holds. */
  get decoderBytes(): number {
    return this.#decoderBytes
  }

  data(segment: DataSegment): void {
    const { length } = segment.bytes
    const stream = this.#stream(segment.direction)
    this.#ledger.see('bytes', length)
    if (this.#decoder === undefined) {
      this.#ledger.settle('bytes', this.#abandoned.fate, length, this.#abandoned.reason)
    } else if (stream.ended !== undefined) {
      this.#ledger.settle('bytes', 'undecodable', length, 'after-close')
    } else {
      const start = stream.arrive(length, segment.atNs)
      this.#take(this.#decode(this.#decoder, segment, start))
      this.#settleEnds()
    }
  }

  gap(segment: GapSegment): void {
    const { direction, length, reason } = segment
    const stream = this.#stream(direction)
    this.#ledger.see('bytes', length)
    this.#ledger.settle('bytes', reason === 'missing' ? 'gap' : 'dropped', length, reason)
    this.#worsen('cut', reason)
    if (this.#decoder === undefined || stream.ended !== undefined) return
    if (direction === 'response') this.#pairing.loseResponseBytes()
    const events = this.#decode(this.#decoder, segment, stream.offset)
    stream.skip(length)
    this.#take(events)
    this.#settleEnds()
  }

  close(segment: CloseSegment): void {
    const stream = this.#stream(segment.direction)
    if (stream.ended !== undefined) return
    stream.ended = segment.how === 'cut' ? 'end' : 'close'
    const idle = this.#pairing.idle && this.#decoderBytes === 0
    if (stream.ended === 'end' && !idle) this.#worsen('cut', 'end')
    if (this.#decoder !== undefined) this.#take(this.#decode(this.#decoder, segment, stream.offset))
    this.#settleEnds()
    if (this.over) this.#finish()
  }

  /** Gives the connection up: what is pending of it is settled by this verdict, and what will come. */
  abandon(verdict: Verdict): void {
    if (this.#decoder === undefined) return
    this.#pairing.abandon(verdict)
    for (const stream of [this.#requests, this.#responses]) {
      this.#ledger.settle('bytes', verdict.fate, stream.takeUnaccounted(), verdict.reason)
    }
    this.#decoder = undefined
    this.#abandoned = verdict
    this.#chargeDecoder()
    this.#worsen(verdict.fate === 'undecodable' ? 'undecodable' : 'dropped', verdict.reason)
  }

  #stream(direction: Direction): CapturedStream {
    return direction === 'request' ? this.#requests : this.#responses
  }

  /** Decoders do not throw on input; one that does loses this connection, never the recording. */
  #decode(
    decoder: ConnectionDecoder,
    segment: DataSegment | GapSegment | CloseSegment,
    offset: number,
  ): readonly DecodeEvent[] {
    try {
      if (segment.kind === 'data') {
        return decoder.push(segment.direction, segment.bytes, offset, segment.acknowledged)
      }
      if (segment.kind === 'gap') return decoder.gap(segment.direction, segment.length)
      return decoder.end(segment.direction, segment.how)
    } catch {
      this.abandon(DECODER_FAILED)
      return NO_EVENTS
    }
  }

  /**
   * Settles directions that ended. A decoder may still hold bytes of one, for what the other direction has yet to tell: then its
   * messages go on until the other has ended too.
   */
  #settleEnds(): void {
    this.#chargeDecoder()
    const requestsEnd = this.#requests.ended
    const responsesEnd = this.#responses.ended
    if (requestsEnd === undefined && responsesEnd === undefined) return
    const both = requestsEnd !== undefined && responsesEnd !== undefined
    if (requestsEnd !== undefined && this.#settleEnd(this.#requests, both)) this.#pairing.endRequests(requestsEnd)
    if (responsesEnd !== undefined && this.#settleEnd(this.#responses, both)) this.#pairing.endResponses(responsesEnd)
  }

  /** True where the direction is over now, and was not. */
  #settleEnd(stream: CapturedStream, force: boolean): boolean {
    if (stream.over || !(force || stream.allAccounted)) return false
    const unaccounted = stream.takeUnaccounted()
    if (unaccounted > 0) this.#ledger.settle('bytes', 'undecodable', unaccounted, 'unaccounted')
    stream.over = true
    return true
  }

  #chargeDecoder(): void {
    const bytes = this.#decoder?.heldBytes ?? 0
    if (bytes === this.#decoderBytes) return
    this.#context.held.chargeDecoder(bytes - this.#decoderBytes)
    this.#decoderBytes = bytes
  }

  #take(events: readonly DecodeEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case 'head':
          this.#head(event)
          break
        case 'body':
        case 'trailers':
          this.#pairing.content(event, this.#account(event))
          break
        case 'end': {
          const { ended, times } = this.#stream(event.direction)
          const cut = event.how === 'whole' ? undefined : event.how === 'gap' ? 'gap' : (ended ?? 'close')
          this.#pairing.end(event.direction, event.message, times.at(event.end - 1), cut)
          break
        }
        case 'framing':
          this.#ledger.settle('bytes', 'framing', this.#account(event))
          break
        case 'lost':
          this.#ledger.settle('bytes', event.why, this.#account(event), 'unnamed')
          break
        case 'opaque':
          this.#opaque(event)
          break
        case 'undecodable':
          this.#undecodable(event)
          break
      }
    }
  }

  #account(event: { readonly direction: Direction; readonly start: number; readonly end: number }): number {
    return this.#stream(event.direction).account(event.start, event.end)
  }

  #head(event: HeadEvent): void {
    const length = this.#account(event)
    if (event.direction === 'response') this.#pairing.overtake(event.message)
    if (event.interim) {
      this.#ledger.settle('bytes', 'framing', length, 'interim')
      this.#ledger.note('responses.interim')
    } else {
      this.#pairing.head(event, length, this.#stream(event.direction).times.at(event.start))
    }
  }

  #opaque(event: OpaqueEvent): void {
    this.#ledger.settle('bytes', 'opaque', this.#account(event), event.reason)
    this.#worsen('opaque', event.reason)
    if (event.direction === 'response') this.#pairing.endResponses('undecodable')
  }

  #undecodable(event: UndecodableEvent): void {
    this.#ledger.settle('bytes', 'undecodable', this.#account(event), event.reason)
    if (!event.first) return
    const { direction, message } = event
    this.#worsen('undecodable', event.reason)
    if (message !== undefined) {
      this.#pairing.breakMessage(direction, message, this.#stream(direction).times.at(event.start), event.reason)
    }
    if (direction === 'response') this.#pairing.endResponses('undecodable')
  }

  #worsen(fate: ConnectionFate, reason: string | undefined): void {
    if (FATES_BY_WEIGHT.indexOf(fate) <= FATES_BY_WEIGHT.indexOf(this.#fate)) return
    this.#fate = fate
    this.#fateReason = reason
  }

  #finish(): void {
    this.#decoder = undefined
    this.#chargeDecoder()
    this.#ledger.settle('connections', this.#fate, 1, this.#fateReason)
  }
}

const NO_EVENTS: readonly DecodeEvent[] = []
