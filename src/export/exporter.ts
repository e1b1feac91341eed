import type { Exchange } from '../core/exchange.ts'
import type { RecordingInfo } from '../core/recording.ts'

/**
 * Writes exchanges in another tool's format: what stands before the first, each exchange, what stands after the last. Text
 * is UTF-8. Exporters keep no exchange: memory does not grow with the recording.
 */
export interface Exporter {
  start(): string
  exchange(exchange: Exchange, info: RecordingInfo): string | Uint8Array
  end(): string
}
