import type { CutReason, MissingResponse, ProtocolName, Response } from '../core/exchange.ts'
import type { LedgerKeeper } from '../core/ledger.ts'
import type { Direction, OpenSegment } from '../core/segment.ts'
import type { BodyEvent, HeadEvent, TrailersEvent } from '../wire/protocol.ts'
import type { HeldExchange, HeldExchangeOwner } from './held-exchange.ts'
import type { HeldExchanges } from './held-exchanges.ts'
import type { ExchangeDraft, ExchangeIntake } from './intake.ts'
import { MessageAssembly } from './message-assembly.ts'
import { OpenExchanges } from './open-exchanges.ts'
import { REQUEST_BEFORE_CAPTURE, REQUEST_LOST, REQUEST_UNDECODABLE, type Verdict } from './verdict.ts'

/** What the exchanges of all connections of a recording share. */
export interface PairingContext {
  readonly ledger: LedgerKeeper
  readonly held: HeldExchanges
  readonly intake: ExchangeIntake
  readonly protocolName: ProtocolName
  readonly maxBodyBytes: number
  /** Connections are TLS on the client's side. */
  readonly secure: boolean
}

/**
 * Puts the messages of one connection together to exchanges. Requests and responses meet by the decoder's message numbers,
 * which it proves by stream positions: never by counting replies.
 *
 * An exchange goes to the intake when both messages are over, or its request is and no response can come any more, or its
 * longest hold is over. Bytes of its messages are pending until then; those of an exchange that was left out are settled as
 * they come.
 */
export class ExchangePairing implements HeldExchangeOwner {
  readonly #connection: OpenSegment
  readonly #context: PairingContext
  readonly #ledger: LedgerKeeper
  readonly #open = new OpenExchanges(this)
  /** Set once no response can come any more: what requests without one are told. */
  #noResponse: MissingResponse | undefined
  /** What responses are told whose requests are not known. */
  #requestLoss: Verdict

  constructor(connection: OpenSegment, context: PairingContext) {
    this.#connection = connection
    this.#context = context
    this.#ledger = context.ledger
    this.#requestLoss = connection.midStream ? REQUEST_BEFORE_CAPTURE : REQUEST_LOST
  }

  /** No exchange of this connection expects anything. */
  get idle(): boolean {
    return this.#open.empty
  }

  /** A head of `length` pending bytes, whose first arrived at `firstNs`. Not for interim ones. */
  head(event: HeadEvent, length: number, firstNs: number): void {
    const { direction, message } = event
    const assembly = new MessageAssembly(firstNs)
    const held =
      direction === 'request' ? this.#beginRequest(message, assembly) : this.#beginResponse(message, assembly)
    if (held === undefined) {
      this.#ledger.settle('bytes', 'undecodable', length, 'repeated-head')
      return
    }
    if (held.verdict?.recorded === false) {
      this.#ledger.settle('bytes', held.verdict.fate, length)
      return
    }
    assembly.pendingBytes = length
    assembly.addHead(event.bytes)
    if (direction === 'request') this.#context.held.add(held)
    else this.#context.held.charge(held)
  }

  /** A piece of a body, or trailers, of `length` pending bytes. */
  content(event: BodyEvent | TrailersEvent, length: number): void {
    const held = this.#find(event.direction, event.message)
    const assembly = event.direction === 'request' ? held?.request : held?.response
    if (held === undefined || assembly === undefined || assembly.done) {
      this.#ledger.settle('bytes', 'undecodable', length, 'without-head')
      return
    }
    if (held.verdict?.recorded === false) {
      this.#ledger.settle('bytes', held.verdict.fate, length)
      return
    }
    assembly.pendingBytes += length
    if (event.kind === 'trailers') assembly.addTrailers(event.bytes)
    else assembly.addBody(event.bytes, this.#context.maxBodyBytes)
    this.#context.held.charge(held)
  }

  /** A message is over; `cut` where it is not whole. */
  end(direction: Direction, message: number, lastNs: number, cut: CutReason | undefined): void {
    const held = this.#find(direction, message)
    const assembly = direction === 'request' ? held?.request : held?.response
    if (held === undefined || assembly === undefined || assembly.done) return
    assembly.finish(lastNs, cut)
    this.#proceed(held)
  }

  /** The framing broke inside a message, or in its head: then it is seen, and left out. */
  breakMessage(direction: Direction, message: number, lastNs: number, reason: string): void {
    const held = this.#find(direction, message)
    if (direction === 'request') this.#requestLoss = REQUEST_UNDECODABLE
    if ((direction === 'request' ? held?.request : held?.response) !== undefined) {
      this.end(direction, message, lastNs, 'undecodable')
      return
    }
    const unit = direction === 'request' ? 'requests' : 'responses'
    this.#ledger.see(unit)
    this.#ledger.settle(unit, 'undecodable', 1, reason)
  }

  /** A response to `message` was seen. Servers answer in order, so what earlier requests still expect was lost. */
  overtake(message: number): void {
    for (const held of this.#open.overtakenBy(message)) this.#endResponse(held, 'gap', 'gap')
  }

  /** Bytes of the response direction were lost: whoever waits now and gets nothing has lost its response there. */
  loseResponseBytes(): void {
    for (const held of this.#open.all()) held.responseGap = true
  }

  /** The request direction ended: unfinished requests are cut. */
  endRequests(cut: CutReason): void {
    for (const held of this.#open.all()) {
      if (held.request === undefined || held.request.done) continue
      held.request.finish(held.request.lastNs, cut)
      this.#proceed(held)
    }
  }

  /** The response direction ended, or cannot be read any more: unfinished responses are cut, others missing. */
  endResponses(why: 'close' | 'end' | 'undecodable'): void {
    this.#noResponse ??= why
    for (const held of this.#open.all()) this.#endResponse(held, why, held.responseGap ? 'gap' : why)
  }

  expire(held: HeldExchange): void {
    held.overdue = true
    this.#proceed(held)
  }

  leaveOut(held: HeldExchange, verdict: Verdict): void {
    if (held.leftOut) return
    if (held.verdict === undefined) this.#settleLeftOut('requests', held.request, verdict)
    this.#settleLeftOut('responses', held.response, verdict)
    held.verdict = verdict
    this.#context.held.remove(held)
    this.#proceed(held)
  }

  /** Gives up all exchanges of the connection. */
  abandon(verdict: Verdict): void {
    for (const held of this.#open.all()) {
      this.leaveOut(held, verdict)
      this.#open.remove(held)
    }
  }

  #find(direction: Direction, message: number): HeldExchange | undefined {
    return direction === 'request' ? this.#open.ofRequest(message) : this.#open.ofResponse(message)
  }

  #beginRequest(message: number, assembly: MessageAssembly): HeldExchange | undefined {
    if (this.#open.ofRequest(message) !== undefined) return undefined
    const held = this.#open.begin(message)
    held.request = assembly
    held.missing = this.#noResponse
    this.#ledger.see('requests')
    return held
  }

  /** A response whose request is not known is seen, and left out: an exchange without a request is none. */
  #beginResponse(message: number, assembly: MessageAssembly): HeldExchange | undefined {
    const known = this.#open.ofResponse(message)
    if (known !== undefined && (known.response !== undefined || known.missing !== undefined)) return undefined
    const held = known ?? this.#open.begin(message)
    if (known === undefined) held.verdict = this.#requestLoss
    held.response = assembly
    this.#ledger.see('responses')
    const { verdict } = held
    if (verdict?.recorded === false) this.#ledger.settle('responses', verdict.fate, 1, verdict.reason)
    return held
  }

  #endResponse(held: HeldExchange, cut: CutReason, missing: MissingResponse): void {
    if (held.response !== undefined && !held.response.done) held.response.finish(held.response.lastNs, cut)
    else if (held.response === undefined) held.missing ??= missing
    else return
    this.#proceed(held)
  }

  /** Decides what can be decided, and forgets an exchange that expects nothing more. */
  #proceed(held: HeldExchange): void {
    const { request, response } = held
    const requestOver = request === undefined || request.done
    const responseOver = response === undefined ? held.missing !== undefined : response.done
    if (held.verdict === undefined) {
      if (request === undefined || !requestOver) return
      if (responseOver) this.#decide(held, request, response?.response() ?? held.missing ?? 'close')
      else if (held.overdue) this.#decideWithoutResponse(held, request)
    } else if (held.verdict.recorded && response?.done === true) {
      this.#context.intake.takeLate(
        { exchangeId: held.exchangeId, response: response.response() },
        response.pendingBytes,
      )
    }
    if (!requestOver || !responseOver) return
    this.#context.held.remove(held)
    this.#open.remove(held)
  }

  #decide(held: HeldExchange, request: MessageAssembly, response: Response | MissingResponse): void {
    const draft: ExchangeDraft = {
      id: -1,
      connection: this.#connection.connection,
      position: held.position,
      session: '',
      protocol: this.#context.protocolName,
      secure: this.#context.secure,
      client: this.#connection.client,
      server: this.#connection.server,
      request: request.message(),
      requestFirstNs: request.firstNs,
      requestLastNs: request.lastNs,
      response,
    }
    const responseBytes = typeof response === 'string' ? 0 : (held.response?.pendingBytes ?? 0)
    held.verdict = this.#context.intake.take(draft, request.pendingBytes, responseBytes)
    held.exchangeId = draft.id
  }

  /** Its hold is over: the response follows as a late one, or shares the fate of an exchange that was left out. */
  #decideWithoutResponse(held: HeldExchange, request: MessageAssembly): void {
    this.#decide(held, request, 'late')
    request.release()
    const { verdict } = held
    if (verdict?.recorded === false) {
      this.#settleLeftOut('responses', held.response, verdict)
      this.#context.held.remove(held)
    } else {
      this.#context.held.charge(held)
    }
  }

  #settleLeftOut(unit: 'requests' | 'responses', assembly: MessageAssembly | undefined, verdict: Verdict): void {
    if (assembly === undefined) return
    this.#ledger.settle(unit, verdict.fate, 1, verdict.reason)
    this.#ledger.settle('bytes', verdict.fate, assembly.pendingBytes)
    assembly.pendingBytes = 0
    assembly.release()
  }
}
