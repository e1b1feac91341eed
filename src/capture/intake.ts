import type { Exchange, LateResponse, Message } from '../core/exchange.ts'
import type { LedgerKeeper } from '../core/ledger.ts'
import type { RecordingWriter } from '../core/recording.ts'
import { bearsReplayMark } from '../wire/http1/replay-mark.ts'
import type { Stages } from './stages.ts'
import {
  BEYOND_LIMIT,
  NOT_MATCHED,
  NOT_SAMPLED,
  RECORDED,
  REPLAYED,
  STAGE_FAILED,
  WRITER_BEHIND,
  type Verdict,
} from './verdict.ts'

/** An exchange that is put together and not yet decided: the intake gives it its id and its session. */
export type ExchangeDraft = Omit<Exchange, 'id' | 'session'> & { id: number; session: string }

/** What an intake hands exchanges to, and what it counts in. */
export interface IntakeOptions {
  readonly writer: RecordingWriter
  readonly ledger: LedgerKeeper
  readonly stages: Stages
  /** Exchanges to record at most (`--limit`). Default: no bound. */
  readonly limit?: number | undefined
}

/**
 * The door of a recording: every exchange passes the stages here, is settled in the ledger and written, in one turn. What is
 * settled as whole or cut is settled just before it is written, so that a delta taken by the writer, or by anyone
 * between two turns, always speaks of what the writer has.
 */
export class ExchangeIntake {
  /** The writer's backlog is full and the source cannot wait: exchanges are dropped and counted until it has room. */
  writerBehind = false
  readonly #writer: RecordingWriter
  readonly #ledger: LedgerKeeper
  readonly #stages: Stages
  readonly #limit: number
  #written = 0

  constructor(options: IntakeOptions) {
    this.#writer = options.writer
    this.#ledger = options.ledger
    this.#stages = options.stages
    this.#limit = options.limit ?? Number.POSITIVE_INFINITY
  }

  /** Exchanges written so far; the id of the next one. */
  get written(): number {
    return this.#written
  }

  get limitReached(): boolean {
    return this.#written >= this.#limit
  }

  /**
   * Decides about an exchange and settles its messages, which the ledger has as pending with these bytes. Where the response
   * is not there, its bytes are 0. Gives the draft its id where it was recorded.
   */
  take(draft: ExchangeDraft, requestBytes: number, responseBytes: number): Verdict {
    let verdict: Verdict
    let exchange: Exchange = draft
    draft.id = this.#written
    try {
      verdict = this.#judge(draft)
      if (verdict.recorded) exchange = this.#stages.mask?.(draft) ?? draft
    } catch {
      verdict = STAGE_FAILED
    }
    const { request, response } = exchange
    this.#settleMessage('requests', verdict, request, requestBytes)
    if (typeof response !== 'string') this.#settleMessage('responses', verdict, response, responseBytes)
    else if (verdict.recorded) this.#ledger.note(`responses.missing.${response}`)
    if (verdict.recorded) {
      this.#written++
      this.#writer.write(exchange)
    }
    return verdict
  }

  /** A response whose exchange is in the recording already; its bytes are pending. */
  takeLate(late: LateResponse, bytes: number): void {
    let masked: LateResponse = late
    let verdict = this.writerBehind ? WRITER_BEHIND : RECORDED
    try {
      masked = this.#stages.maskLate?.(late) ?? late
    } catch {
      verdict = STAGE_FAILED
    }
    this.#settleMessage('responses', verdict, masked.response, bytes)
    if (!verdict.recorded) return
    this.#ledger.note('responses.late')
    this.#writer.writeLate(masked)
  }

  /**
   * An exchange from a source that yields exchanges (gor, HAR) instead of bytes: seen and settled at once. Its bytes are those
   * of heads, whole bodies and trailers; such sources have no framing, and no connections to count.
   */
  offer(draft: ExchangeDraft): Verdict {
    const requestBytes = messageBytes(draft.request)
    this.#ledger.see('requests')
    this.#ledger.see('bytes', requestBytes)
    if (typeof draft.response === 'string') return this.take(draft, requestBytes, 0)
    const responseBytes = messageBytes(draft.response)
    this.#ledger.see('responses')
    this.#ledger.see('bytes', responseBytes)
    return this.take(draft, requestBytes, responseBytes)
  }

  #judge(draft: ExchangeDraft): Verdict {
    const stages = this.#stages
    if (this.limitReached) return BEYOND_LIMIT
    if (stages.keepReplayed !== true && bearsReplayMark(draft.request.head)) return REPLAYED
    if (stages.matches?.(draft) === false) return NOT_MATCHED
    if (stages.session !== undefined) draft.session = stages.session(draft)
    if (stages.keeps !== undefined && !stages.keeps(draft.session || `connection ${draft.connection}`)) {
      return NOT_SAMPLED
    }
    return this.writerBehind ? WRITER_BEHIND : RECORDED
  }

  #settleMessage(unit: 'requests' | 'responses', verdict: Verdict, message: Message, bytes: number): void {
    const ledger = this.#ledger
    if (!verdict.recorded) {
      ledger.settle(unit, verdict.fate, 1, verdict.reason)
      ledger.settle('bytes', verdict.fate, bytes)
    } else if (message.cut === undefined) {
      ledger.settle(unit, 'whole')
      ledger.settle('bytes', 'whole', bytes)
    } else {
      ledger.settle(unit, 'cut', 1, message.cut)
      ledger.settle('bytes', 'cut', bytes)
    }
  }
}

function messageBytes(message: Message): number {
  return message.head.length + message.bodySize + message.trailers.length
}
