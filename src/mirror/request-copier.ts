import { latin1 } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { parseHead } from '../core/head.ts'
import type { HeaderField } from '../core/head.ts'
import type { RequestHead } from '../wire/http1/request-head.ts'
import { listItems, RequestHeadReader } from '../wire/http1/request-head.ts'
import { RequestRewriter } from '../wire/http1/request-rewriter.ts'
import type { CopyRequest } from './copy.ts'

/** How requests of production are made to fit staging. */
export interface CopyRules {
  /** Staging's URL: its host becomes Host, its path goes before every path. */
  readonly url: string
  /** Keep the Host that production was asked by. */
  readonly keepHost: boolean
  /** Each replaces the headers of its name; an empty value removes them. */
  readonly headers: readonly HeaderField[]
  /** Marks every copy, in `x-mesh-replay` and `baggage`. */
  readonly runId: string
}

/** Of the connection that a message came on (RFC 9110 7.6.1); the client makes its own. */
const HOP_HEADERS: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade'])

/** Makes the copy of a request: everything as production was sent it, but for Host, the hop, the framing and the mark. */
export class RequestCopier {
  readonly #rewriter: RequestRewriter
  readonly #reader: RequestHeadReader

  /** @throws MeshError MESH_ERR_USAGE for a header that cannot be sent. */
  constructor(rules: CopyRules) {
    const url = new URL(rules.url)
    this.#rewriter = new RequestRewriter({
      authority: url.host,
      pathPrefix: url.pathname.replace(/\/$/, ''),
      keepHost: rules.keepHost,
      headers: rules.headers,
      runId: rules.runId,
      close: 'drop',
    })
    this.#reader = new RequestHeadReader(this.#rewriter.customNames)
  }

  /** Undefined where the head is not one that may be sent again. */
  readHead(exchange: Exchange): RequestHead | undefined {
    return this.#reader.read(exchange.request.head, exchange.connection)
  }

  /** Must be given a head that `readHead` gave. The request is whole. */
  copy(head: RequestHead, { request }: Exchange): CopyRequest {
    const { startLine, fields } = this.#rewriter.rewriteHead(head, request)
    const [, target = '/'] = /^\S+ (.*) HTTP\/1\.[01]\r\n$/.exec(startLine) ?? []
    const lines = parseHead(Buffer.concat([Buffer.from('\r\n'), fields])).fields
    const dropped = new Set(HOP_HEADERS)
    for (const { name, value } of lines) {
      if (name.toLowerCase() === 'connection') for (const item of listItems(value)) dropped.add(item)
    }
    const sent: string[] = []
    for (const { name, value } of lines) if (!dropped.has(name.toLowerCase())) sent.push(name, value)
    const trailers = request.trailers.length === 0 ? [] : trailerFields(request.trailers)
    return { method: head.method, target, fields: sent, body: request.body, trailers }
  }
}

function trailerFields(bytes: Uint8Array): [string, string][] {
  const { fields } = parseHead(Buffer.from(`\r\n${latin1(bytes)}`, 'latin1'))
  return fields.map(({ name, value }) => [name, value])
}
