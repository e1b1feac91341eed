import type { Exchange } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import type { Head } from '../core/head.ts'
import { headerValue, parseHead, requestLine, statusCode } from '../core/head.ts'
import type { Endpoint } from '../core/segment.ts'
import { formatEndpoint } from '../core/segment.ts'

/**
 * An exchange as CEL sees it: Envoy's attribute names (docs: "Attributes", configuration/advanced). Everything is computed when it
 * is asked for, because most expressions look at one or two attributes of a request.
 */

/** CEL type and field types of each view below, in the library's notation. */
export const ATTRIBUTE_TYPES = {
  request: {
    path: 'string',
    url_path: 'string',
    query: 'string',
    host: 'string',
    scheme: 'string',
    method: 'string',
    headers: 'map<string, string>',
    referer: 'string',
    useragent: 'string',
    id: 'string',
    protocol: 'string',
    size: 'int',
    total_size: 'int',
    duration: 'google.protobuf.Duration',
    body: 'string',
    cookies: 'map<string, string>',
  },
  response: {
    code: 'int',
    headers: 'map<string, string>',
    trailers: 'map<string, string>',
    size: 'int',
    total_size: 'int',
    body: 'string',
  },
  source: { address: 'string', port: 'int' },
  destination: { address: 'string', port: 'int' },
  connection: { id: 'int', tls: 'bool' },
} as const

/** `request.*` */
export class RequestAttributes {
  readonly #exchange: Exchange
  #head: Head | undefined
  #headers: Map<string, string> | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get #parsed(): Head {
    this.#head ??= parseHead(this.#exchange.request.head)
    return this.#head
  }

  get path(): string {
    return originForm(requestLine(this.#parsed).target)
  }

  get url_path(): string {
    return this.path.split('?', 1)[0] ?? ''
  }

  get query(): string {
    const { path } = this
    const mark = path.indexOf('?')
    return mark < 0 ? '' : path.slice(mark + 1)
  }

  get host(): string {
    return headerValue(this.#parsed, 'host') ?? headerValue(this.#parsed, ':authority') ?? ''
  }

  get scheme(): string {
    return this.#exchange.secure ? 'https' : 'http'
  }

  get method(): string {
    return requestLine(this.#parsed).method
  }

  get protocol(): string {
    return requestLine(this.#parsed).version
  }

  get headers(): Map<string, string> {
    this.#headers ??= headerMap(this.#parsed)
    return this.#headers
  }

  get cookies(): Map<string, string> {
    const cookies = new Map<string, string>()
    for (const pair of (this.headers.get('cookie') ?? '').split(/[;,]/)) {
      const [name = '', ...value] = pair.split('=')
      if (name.trim() !== '') cookies.set(name.trim(), value.join('=').trim())
    }
    return cookies
  }

  get referer(): string {
    return headerValue(this.#parsed, 'referer') ?? ''
  }

  get useragent(): string {
    return headerValue(this.#parsed, 'user-agent') ?? ''
  }

  get id(): string {
    return headerValue(this.#parsed, 'x-request-id') ?? ''
  }

  get size(): bigint {
    return BigInt(this.#exchange.request.bodySize)
  }

  get total_size(): bigint {
    const { head, bodySize, trailers } = this.#exchange.request
    return BigInt(head.length + bodySize + trailers.length)
  }

  /** From the request's first byte to the response's last, in nanoseconds; to its own last byte where there is no response. */
  get durationNs(): number {
    const exchange = this.#exchange
    const lastNs = hasResponse(exchange) ? exchange.response.lastNs : exchange.requestLastNs
    return lastNs - exchange.requestFirstNs
  }

  get body(): string {
    return Buffer.from(this.#exchange.request.body).toString('utf8')
  }
}

/** `response.*`; without a response its code is 0 and its headers are empty. */
export class ResponseAttributes {
  readonly #exchange: Exchange
  #head: Head | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get #parsed(): Head {
    const exchange = this.#exchange
    this.#head ??= hasResponse(exchange) ? parseHead(exchange.response.head) : { startLine: '', fields: [] }
    return this.#head
  }

  get code(): bigint {
    return BigInt(statusCode(this.#parsed))
  }

  get headers(): Map<string, string> {
    return headerMap(this.#parsed)
  }

  get trailers(): Map<string, string> {
    const exchange = this.#exchange
    if (!hasResponse(exchange)) return new Map()
    return headerMap(parseHead(Buffer.concat([Buffer.from('\r\n'), exchange.response.trailers])))
  }

  get size(): bigint {
    const exchange = this.#exchange
    return hasResponse(exchange) ? BigInt(exchange.response.bodySize) : 0n
  }

  get total_size(): bigint {
    const exchange = this.#exchange
    if (!hasResponse(exchange)) return 0n
    const { head, bodySize, trailers } = exchange.response
    return BigInt(head.length + bodySize + trailers.length)
  }

  get body(): string {
    const exchange = this.#exchange
    return hasResponse(exchange) ? Buffer.from(exchange.response.body).toString('utf8') : ''
  }
}

/** `source.*` and `destination.*`: address with port, as Envoy has it, and the port. */
export class PeerAttributes {
  readonly #endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  get address(): string {
    return formatEndpoint(this.#endpoint)
  }

  get port(): bigint {
    return BigInt(this.#endpoint.port)
  }
}

/** `connection.*` */
export class ConnectionAttributes {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get id(): bigint {
    return BigInt(this.#exchange.connection)
  }

  get tls(): boolean {
    return this.#exchange.secure
  }
}

/** Names in lower case; several values of one name joined by a comma, cookies by a semicolon (RFC 9110 5.3, 9113 8.2.3). */
function headerMap(head: Head): Map<string, string> {
  const map = new Map<string, string>()
  for (const { name, value } of head.fields) {
    const key = name.toLowerCase()
    const before = map.get(key)
    map.set(key, before === undefined ? value : `${before}${key === 'cookie' ? '; ' : ','}${value}`)
  }
  return map
}

/** `http://host/path?query` to `/path?query`: what proxies are sent, without what the Host header says already. */
function originForm(target: string): string {
  const absolute = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?]*/.exec(target)
  if (absolute === null) return target
  const rest = target.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}
