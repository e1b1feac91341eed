import { isUtf8 } from 'node:buffer'
import { asBuffer, utf8 } from '../core/bytes.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { parseHead, requestLine, statusCode } from '../core/head.ts'
import { formatEndpoint } from '../core/segment.ts'
import type { Exporter } from './exporter.ts'

/** One JSON object a line, for jq and scripts: everything that the recording holds of an exchange. Units are in the names. */
export function createNdjsonExporter(): Exporter {
  return {
    start: () => '',
    end: () => '',
    exchange: (exchange, info) => `${JSON.stringify(lineOf(exchange, info.host, info.originUnixNs))}\n`,
  }
}

function lineOf(exchange: Exchange, host: string, originUnixNs: bigint): object {
  const { method, target } = requestLine(parseHead(exchange.request.head))
  const { response } = exchange
  return {
    host,
    id: exchange.id,
    unix_ns: String(originUnixNs + BigInt(Math.round(exchange.requestFirstNs))),
    connection: exchange.connection,
    position: exchange.position,
    session: exchange.session,
    protocol: exchange.protocol,
    secure: exchange.secure,
    client: formatEndpoint(exchange.client),
    server: formatEndpoint(exchange.server),
    method,
    target,
    request: messageOf(exchange.request),
    ...(hasResponse(exchange)
      ? {
          status: statusCode(parseHead(exchange.response.head)),
          first_byte_after_ns: exchange.response.firstNs - exchange.requestFirstNs,
          duration_ns: exchange.response.lastNs - exchange.requestFirstNs,
          response: messageOf(exchange.response),
        }
      : { response_missing: response }),
  }
}

function messageOf(message: Message): object {
  const { body } = message
  const text = isUtf8(body)
  return {
    start_line: parseHead(message.head).startLine,
    headers: parseHead(message.head).fields.map(({ name, value }) => [name, value]),
    [text ? 'body' : 'body_base64']: text ? utf8(body) : asBuffer(body).toString('base64'),
    body_bytes: message.bodySize,
    ...(message.trailers.length === 0 ? {} : { trailers: utf8(message.trailers) }),
    ...(message.cut === undefined ? {} : { cut: message.cut }),
  }
}
