import { isUtf8 } from 'node:buffer'
import { asBuffer, utf8 } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { replayObstacle } from '../core/exchange.ts'
import { headerValue, parseHead, requestLine } from '../core/head.ts'
import type { Exporter } from './exporter.ts'

/** Headers that curl writes itself, from the URL and from the body. */
const BY_CURL = new Set(['host', 'content-length', 'transfer-encoding', 'connection'])

/** One curl command a request, ready for a shell. A request that is not whole becomes a comment that says so. */
export function createCurlExporter(): Exporter {
  return { start: () => '', end: () => '', exchange: commandOf }
}

function commandOf(exchange: Exchange): string {
  const head = parseHead(exchange.request.head)
  const { method, target } = requestLine(head)
  const obstacle = replayObstacle(exchange)
  if (obstacle !== undefined) return `# ${method} ${printable(target)}: not whole (${obstacle})\n`
  const host =
    headerValue(head, 'host') ?? headerValue(head, ':authority') ?? `${exchange.server.address}:${exchange.server.port}`
  const url = /^[a-z]+:\/\//i.test(target) ? target : `${exchange.secure ? 'https' : 'http'}://${host}${target}`
  const words = ['curl', '-sS', '-g']
  if (method === 'HEAD') words.push('-I')
  else if (method !== 'GET' || exchange.request.body.length > 0) words.push('-X', quote(method))
  for (const { name, value } of head.fields) {
    if (BY_CURL.has(name.toLowerCase()) || name.startsWith(':')) continue
    words.push('-H', quote(value === '' ? `${name};` : `${name}: ${value}`))
  }
  return `${bodyPipe(exchange.request.body, words)} ${quote(url)}\n`
}

/** Text goes on the command line, bytes through base64: a shell's words cannot hold NUL. */
function bodyPipe(body: Uint8Array, words: readonly string[]): string {
  if (body.length === 0) return words.join(' ')
  if (isUtf8(body) && !body.includes(0)) return [...words, '--data-raw', quote(utf8(body))].join(' ')
  return `echo ${asBuffer(body).toString('base64')} | base64 -d | ${words.join(' ')} --data-binary @-`
}

/** One word of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
