import type { Exchange, Message, Response } from '../../src/core/exchange.ts'
import { NO_BYTES, utf8Bytes } from '../../src/core/bytes.ts'

/** A message from its head's lines and its body, whole unless said otherwise. */
export function message(lines: readonly string[], body = '', changes: Partial<Message> = {}): Message {
  const bytes = utf8Bytes(body)
  return {
    head: utf8Bytes(`${lines.join('\r\n')}\r\n\r\n`),
    body: bytes,
    trailers: NO_BYTES,
    bodySize: bytes.length,
    cut: undefined,
    ...changes,
  }
}

/** A response 5 ms after time 0 unless said otherwise. */
export function response(lines: readonly string[], body = '', changes: Partial<Response> = {}): Response {
  return { ...message(lines, body), firstNs: 5e6, lastNs: 5.1e6, ...changes }
}

/** A GET of /cart by user 42 on connection 7, answered 200 after 5 ms; `changes` replaces parts of it. */
export function exchange(changes: Partial<Exchange> = {}): Exchange {
  return {
    id: 1,
    connection: 7,
    position: 0,
    session: '',
    protocol: 'http1',
    secure: false,
    client: { address: '10.1.2.3', port: 40_000 },
    server: { address: '10.0.0.1', port: 8080 },
    request: message(['GET /cart?id=3 HTTP/1.1', 'Host: shop.example', 'X-User: 42']),
    requestFirstNs: 0,
    requestLastNs: 1e5,
    response: response(['HTTP/1.1 200 OK', 'Content-Type: text/plain', 'Content-Length: 5'], 'hello'),
    ...changes,
  }
}
