import { isUtf8 } from 'node:buffer'
import { asBuffer, latin1Bytes, utf8 } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { replayObstacle } from '../core/exchange.ts'
import { headerValue, parseHead, requestLine } from '../core/head.ts'
import { isVisible } from '../core/visible.ts'
import type { Exporter } from './exporter.ts'
import { shellWord, singleQuoted } from '../core/shell-word.ts'

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
  if (obstacle !== undefined) return printable(`# ${method} ${target}: not whole (${obstacle})`)
  if (exchange.request.head.includes(0))
    return printable(`# ${method} ${target}: a NUL in it, which no command can hold`)
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

/**
 * Text goes on the command line, as it is: its lines and tabs too, which every shell takes. What a shell's words cannot hold (NUL), what is
 * no text and what a terminal would obey goes through base64.
 */
function bodyPipe(body: Uint8Array, words: readonly string[]): string {
  if (body.length === 0) return words.join(' ')
  if (isPlainText(body)) return [...words, '--data-raw', singleQuoted(utf8(body))].join(' ')
  return `echo ${asBuffer(body).toString('base64')} | base64 -d | ${words.join(' ')} --data-binary @-`
}

function isPlainText(body: Uint8Array): boolean {
  return isUtf8(body) && isVisible(utf8(body).replaceAll(/[\t\n]/g, ' '))
}

/** A word of a head, whose characters are bytes. */
function quote(text: string): string {
  return shellWord(latin1Bytes(text))
}

/** A comment of one line. */
function printable(text: string): string {
  return `${text.replaceAll(/[^\x20-\x7e]/g, '?')}\n`
}
