import { latin1, latin1Bytes } from '../../src/core/bytes.ts'
import type { Exchange, LateResponse, Message } from '../../src/core/exchange.ts'
import { LedgerKeeper } from '../../src/core/ledger.ts'
import type { RecordingWriter } from '../../src/core/recording.ts'
import type { CloseReason, Direction, GapSegment, Segment } from '../../src/core/segment.ts'
import { RecordingPipeline, type PipelineOptions } from '../../src/capture/pipeline.ts'
import { KEEP_EVERYTHING } from '../../src/capture/stages.ts'
import { lineProtocol } from './line-protocol.ts'

/** A writer that keeps what it is given in memory; `block` fills its backlog until `unblock`. */
export class MemoryWriter implements RecordingWriter {
  readonly exchanges: Exchange[] = []
  readonly late: LateResponse[] = []
  #blocked: Promise<void> | undefined
  #unblock: () => void = () => {}

  write(exchange: Exchange): void {
    this.exchanges.push(exchange)
  }

  writeLate(late: LateResponse): void {
    this.late.push(late)
  }

  block(): void {
    this.#blocked = new Promise((resolve) => {
      this.#unblock = resolve
    })
  }

  unblock(): void {
    this.#blocked = undefined
    this.#unblock()
  }

  async drained(): Promise<void> {
    await this.#blocked
  }

  async close(): Promise<void> {}
}

export interface CaptureBench {
  readonly pipeline: RecordingPipeline
  readonly writer: MemoryWriter
  readonly ledger: LedgerKeeper
}

/** A pipeline that records the line protocol into memory, unless told otherwise. */
export function captureBench(changes: Partial<PipelineOptions> = {}): CaptureBench {
  const writer = new MemoryWriter()
  const ledger = new LedgerKeeper()
  const pipeline = new RecordingPipeline({
    protocol: lineProtocol,
    writer,
    ledger,
    stages: KEEP_EVERYTHING,
    ...changes,
  })
  return { pipeline, writer, ledger }
}

export const CLIENT = { address: '10.1.2.3', port: 40_000 }
export const SERVER = { address: '10.0.0.1', port: 8080 }

/** Milliseconds to the nanoseconds of segments. */
export function ms(count: number): number {
  return count * 1e6
}

export function opened(atMs = 0, connection = 0, midStream = false): Segment {
  return { kind: 'open', connection, atNs: ms(atMs), client: CLIENT, server: SERVER, midStream }
}

export function sent(direction: Direction, text: string, atMs: number, connection = 0): Segment {
  return { kind: 'data', connection, direction, atNs: ms(atMs), bytes: latin1Bytes(text), acknowledged: 0 }
}

export function asked(text: string, atMs = 0, connection = 0): Segment {
  return sent('request', text, atMs, connection)
}

export function answered(text: string, atMs = 0, connection = 0): Segment {
  return sent('response', text, atMs, connection)
}

export function lost(
  direction: Direction,
  length: number,
  atMs = 0,
  reason: GapSegment['reason'] = 'missing',
  connection = 0,
): Segment {
  return { kind: 'gap', connection, direction, atNs: ms(atMs), length, reason }
}

export function closed(direction: Direction, atMs = 0, how: CloseReason = 'fin', connection = 0): Segment {
  return { kind: 'close', connection, direction, atNs: ms(atMs), how }
}

/** Both directions end. */
export function hungUp(atMs = 0, connection = 0): Segment[] {
  return [closed('request', atMs, 'fin', connection), closed('response', atMs, 'fin', connection)]
}

/** `head|body`, with `!reason` where it is cut: a message at a glance. */
export function shownMessage(message: Message): string {
  const cut = message.cut === undefined ? '' : `!${message.cut}`
  return `${latin1(message.head)}|${latin1(message.body)}${cut}`
}

/** `request -> response`: an exchange at a glance. */
export function shown(exchange: Exchange): string {
  const { response } = exchange
  return `${shownMessage(exchange.request)} -> ${typeof response === 'string' ? `(${response})` : shownMessage(response)}`
}
