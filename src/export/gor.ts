import { concatBytes, utf8Bytes } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { writeMessage } from '../wire/http1/message-writer.ts'
import type { Exporter } from './exporter.ts'

const SEPARATOR = utf8Bytes('\n🐵🙈🙉\n')

/**
 * GoReplay's format, as its 1.x writes it. It holds requests, responses, the times of their first bytes and who
 * sent them; not sessions, trailers' times or why a response is missing.
 */
export function createGorExporter(): Exporter {
  return {
    start: () => '',
    end: () => '',
    exchange(exchange, info) {
      const id = streamId(exchange)
      const atUnixNs = (ns: number): bigint => info.originUnixNs + BigInt(Math.round(ns))
      const pieces = [
        utf8Bytes(`1 ${id} ${atUnixNs(exchange.requestFirstNs)} -1\n`),
        writeMessage(exchange.request),
        SEPARATOR,
      ]
      if (hasResponse(exchange)) {
        const { response } = exchange
        const tookNs = Math.round(response.lastNs - exchange.requestFirstNs)
        pieces.push(utf8Bytes(`2 ${id} ${atUnixNs(response.firstNs)} ${tookNs}\n`), writeMessage(response), SEPARATOR)
      }
      return concatBytes(pieces)
    },
  }
}

/** 24 hexadecimal digits: client port, server port, the low 32 bits of the client's address, and the exchange. */
function streamId(exchange: Exchange): string {
  const { client, server } = exchange
  const known = /^\d+(\.\d+){3}$/.test(client.address) && client.port > 0
  const address = known
    ? client.address
        .split('.')
        .map((part) => hex(Number(part), 2))
        .join('')
    : hex(exchange.connection, 8)
  return hex(client.port, 4) + hex(server.port, 4) + address + hex(exchange.id, 8)
}

function hex(value: number, digits: number): string {
  return (value % 16 ** digits).toString(16).padStart(digits, '0')
}
