/** The parts of HAR 1.2 that matter, as readers in the field find them: everything may be absent or of another type. */
export interface HarEntry {
  readonly startedUnixNs: bigint
  readonly connection: string
  readonly serverAddress: string
  readonly request: HarMessage & { readonly method: string; readonly url: string }
  readonly response: HarMessage & { readonly status: number; readonly statusText: string }
  /** Milliseconds: before sending, sending, waiting, receiving. Never negative. */
  readonly timings: { readonly before: number; readonly send: number; readonly wait: number; readonly receive: number }
}

/** Headers in order and the body, decoded; `bodyMissing` where the file speaks of a body and holds none. */
export interface HarMessage {
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly body: Uint8Array
  readonly bodyMissing: boolean
}

type Json = { readonly [name: string]: unknown }

/** Reads one entry; undefined where it has no request with a URL and a time, which is what makes it one. */
export function readEntry(value: unknown): HarEntry | undefined {
  const entry = object(value)
  const request = object(entry['request'])
  const response = object(entry['response'])
  const url = text(request['url'])
  const startedUnixNs = parseTime(text(entry['startedDateTime']))
  if (url === '' || startedUnixNs === undefined) return undefined
  const timings = object(entry['timings'])
  const known = (name: string): number => Math.max(0, number(timings[name]))
  const total = Math.max(0, number(entry['time']))
  const before = known('blocked') + known('dns') + known('connect')
  const spent = before + known('send') + known('wait') + known('receive')
  return {
    startedUnixNs,
    connection: text(entry['connection']),
    serverAddress: text(entry['serverIPAddress']).replaceAll(/[[\]]/g, ''),
    request: {
      method: text(request['method']) || 'GET',
      url,
      headers: headers(request['headers']),
      ...requestBody(request),
    },
    response: {
      status: number(response['status']),
      statusText: text(response['statusText']),
      headers: headers(response['headers']),
      ...responseBody(response),
    },
    // Files without timings have the total only; it is the server's as far as we can know.
    timings: { before, send: known('send'), wait: spent === 0 ? total : known('wait'), receive: known('receive') },
  }
}

function requestBody(request: Json): { body: Uint8Array; bodyMissing: boolean } {
  const post = object(request['postData'])
  const plain = text(post['text'])
  if (plain !== '') return { body: bytesOf(plain, text(post['encoding'])), bodyMissing: false }
  const params = list(post['params']).map(object)
  const pairs = params.map(
    (pair) => `${encodeURIComponent(text(pair['name']))}=${encodeURIComponent(text(pair['value']))}`,
  )
  if (pairs.length > 0)
    return { body: Buffer.from(pairs.join('&')), bodyMissing: /multipart/i.test(text(post['mimeType'])) }
  return { body: new Uint8Array(0), bodyMissing: number(request['bodySize']) > 0 }
}

function responseBody(response: Json): { body: Uint8Array; bodyMissing: boolean } {
  const content = object(response['content'])
  const plain = text(content['text'])
  if (plain !== '') return { body: bytesOf(plain, text(content['encoding'])), bodyMissing: false }
  return { body: new Uint8Array(0), bodyMissing: number(content['size']) > 0 }
}

function bytesOf(plain: string, encoding: string): Uint8Array {
  return Buffer.from(plain, encoding.toLowerCase() === 'base64' ? 'base64' : 'utf8')
}

/** Header lines; HTTP/2's pseudo-headers are said by method, URL and status already. */
function headers(value: unknown): { name: string; value: string }[] {
  return list(value)
    .map(object)
    .map((header) => ({ name: text(header['name']).trim(), value: text(header['value']).replaceAll(/[\r\n]+/g, ' ') }))
    .filter(({ name }) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
}

/** ISO 8601 with any number of decimals, to nanoseconds: the platform's own parser stops at milliseconds. */
function parseTime(time: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(time.trim())
  const seconds = Date.parse(`${match?.[1] ?? ''}${match?.[3] ?? 'Z'}`)
  if (match === null || Number.isNaN(seconds)) return undefined
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').slice(0, 9).padEnd(9, '0'))
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}
