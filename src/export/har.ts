import { isUtf8 } from 'node:buffer'
import { asBuffer, utf8 } from '../core/bytes.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { headerValue, parseHead, requestLine, statusCode } from '../core/head.ts'
import type { Head } from '../core/head.ts'
import type { Exporter } from './exporter.ts'

/** HAR 1.2. Bodies stand as they were sent: one that is not UTF-8 (or is compressed) is base64, and its headers stay true. */
export function createHarExporter(version: string): Exporter {
  let first = true
  const creator = JSON.stringify({ name: 'mesh', version })
  return {
    start: () => `{"log":{"version":"1.2","creator":${creator},"entries":[`,
    end: () => '\n]}}\n',
    exchange(exchange, info) {
      const comma = first ? '\n' : ',\n'
      first = false
      return comma + JSON.stringify(entryOf(exchange, info.originUnixNs))
    },
  }
}

function entryOf(exchange: Exchange, originUnixNs: bigint): object {
  const responded = hasResponse(exchange) ? exchange.response : undefined
  const send = milliseconds(exchange.requestLastNs - exchange.requestFirstNs)
  const wait = responded === undefined ? 0 : milliseconds(responded.firstNs - exchange.requestLastNs)
  const receive = responded === undefined ? 0 : milliseconds(responded.lastNs - responded.firstNs)
  return {
    startedDateTime: isoTime(originUnixNs + BigInt(Math.round(exchange.requestFirstNs))),
    time: send + wait + receive,
    request: requestOf(exchange),
    response: responded === undefined ? noResponse() : responseOf(responded),
    cache: {},
    timings: { send, wait, receive },
    serverIPAddress: exchange.server.address,
    connection: String(exchange.connection),
  }
}

function requestOf(exchange: Exchange): object {
  const head = parseHead(exchange.request.head)
  const { method, target, version } = requestLine(head)
  const host =
    headerValue(head, 'host') ?? headerValue(head, ':authority') ?? `${exchange.server.address}:${exchange.server.port}`
  const url = /^[a-z]+:\/\//i.test(target) ? target : `${exchange.secure ? 'https' : 'http'}://${host}${target}`
  const { body } = exchange.request
  const posted =
    body.length === 0 ? {} : { postData: { mimeType: headerValue(head, 'content-type') ?? '', ...textOf(body) } }
  return {
    method,
    url,
    ...common(head, exchange.request, version),
    queryString: URL.canParse(url) ? [...new URL(url).searchParams].map(([name, value]) => ({ name, value })) : [],
    ...posted,
  }
}

function responseOf(response: Message): object {
  const head = parseHead(response.head)
  const [version = '', , ...reason] = head.startLine.split(' ')
  return {
    status: statusCode(head),
    statusText: reason.join(' '),
    ...common(head, response, version),
    content: { size: response.bodySize, mimeType: headerValue(head, 'content-type') ?? '', ...textOf(response.body) },
    redirectURL: headerValue(head, 'location') ?? '',
  }
}

function noResponse(): object {
  const nothing = { httpVersion: '', cookies: [], headers: [], headersSize: -1, bodySize: -1 }
  return { status: 0, statusText: '', ...nothing, content: { size: 0, mimeType: '' }, redirectURL: '' }
}

function common(head: Head, message: Message, httpVersion: string): object {
  const headers = head.fields.map(({ name, value }) => ({ name, value }))
  return { httpVersion, cookies: [], headers, headersSize: message.head.length, bodySize: message.bodySize }
}

function textOf(body: Uint8Array): object {
  if (body.length === 0) return {}
  if (isUtf8(body)) return { text: utf8(body) }
  return { text: asBuffer(body).toString('base64'), encoding: 'base64' }
}

function milliseconds(ns: number): number {
  return Math.max(0, Math.round(ns)) / 1e6
}

/** ISO 8601 with nanoseconds: readers that know milliseconds only cut the rest. */
function isoTime(unixNs: bigint): string {
  const seconds = new Date(Number(unixNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(unixNs % 1_000_000_000n).padStart(9, '0')}Z`
}
