import { connect } from 'node:net'
import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { randomBytes } from 'node:crypto'
import type { RunningMesh } from '../../support/mesh.ts'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import type { Answer, HttpTarget } from '../../support/targets.ts'
import { closedPort, startHttpTarget, startTcpTarget } from '../../support/targets.ts'
import { startTap } from '../../support/taps.ts'

const folder = temporaryFolder()
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => folder.remove())

async function target(answer?: Answer): Promise<HttpTarget> {
  const started = await startHttpTarget(answer)
  closers.push(started.close)
  return started
}

interface RunningMirror extends RunningMesh {
  readonly port: number
}

async function startMirror(upstream: number, ...flags: readonly string[]): Promise<RunningMirror> {
  const words = ['mirror', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream}`]
  // Whoever answers at all answers within this, on any machine.
  const patience = ['--grace', '60s', '--timeout', '60s']
  const mesh = startMesh([...words, ...patience, ...flags])
  const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+)/)
  return { ...mesh, port: Number(port) }
}

/** One request on a connection of its own, its body in chunks; the reply. */
async function ask(
  port: number,
  method: string,
  path: string,
  body?: Buffer,
): Promise<{ status: number; body: string }> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, agent: false })
  if (body !== undefined) outgoing.write(body)
  outgoing.end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece as Buffer)
  return { status: incoming.statusCode ?? 0, body: Buffer.concat(pieces).toString() }
}

/** Every byte that a server sends before it closes, for these bytes. */
async function exchangeBytes(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  socket.write(bytes)
  await once(socket, 'end')
  socket.destroy()
  return Buffer.concat(pieces).toString('latin1')
}

function json(value: unknown): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  }
}

interface Proof {
  readonly requests: Readonly<Record<string, number>>
  readonly counts: {
    readonly taken: number
    readonly sent: number
    readonly answered: number
    readonly held: Readonly<Record<string, number>>
    readonly dropped: Readonly<Record<string, number>>
    readonly unanswered: Readonly<Record<string, number>>
  }
  readonly comparison?: { readonly same: number; readonly diverging: number; readonly groups: readonly unknown[] }
}

function proofOf(stdout: string): Proof {
  return JSON.parse(stdout) as Proof
}

describe('mesh mirror', () => {
  it('sends each safe request to staging once, and ends 0 on INT with the proof', async () => {
    const [production, staging] = [await target(json({ a: 1 })), await target(json({ a: 2 }))]
    const mirror = await startMirror(production.port, '--to', staging.url, '--compare')
    for (let number = 0; number < 5; number++) await ask(mirror.port, 'GET', `/items/${number}`)
    await ask(mirror.port, 'POST', '/orders', Buffer.from('x'))
    await staging.saw(5)
    mirror.signal('SIGINT')
    const { code, stdout } = await mirror.ended
    expect(code).toBe(0)
    expect(staging.seen.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      [0, 1, 2, 3, 4].map((number) => `GET /items/${number}`),
    )
    expect(stdout).toMatch(
      /requests seen +6\n {2}mirrored +5\n {4}answered +5\n {2}dropped +0\n {2}held back +1 {2}POST 1\n/,
    )
    expect(stdout).toMatch(/diverging +5\n/)
    expect(stdout).toMatch(/5 {2}GET \/items\/:id {2}body\.a {2}changed\n +production 1, staging 2\n/)
  })

  it('passes on a megabyte in chunks and copies it whole, where writes are allowed', async () => {
    const [production, staging] = [await target(), await target()]
    const mirror = await startMirror(production.port, '--to', staging.url, '--allow-writes')
    const body = randomBytes(1024 * 1024)
    await ask(mirror.port, 'PUT', '/large', body)
    await staging.saw(1)
    mirror.signal('SIGTERM')
    expect((await mirror.ended).code).toBe(0)
    expect(production.seen[0]?.headers['transfer-encoding']).toBe('chunked')
    expect(production.seen[0]?.body.equals(body)).toBe(true)
    expect(staging.seen[0]?.body.equals(body)).toBe(true)
    expect(staging.seen[0]?.headers).toMatchObject({
      'x-mesh-replay': expect.stringMatching(/^[0-9a-f]{12}$/) as string,
    })
  })

  it("gives clients production's replies byte for byte", async () => {
    const reply =
      'HTTP/1.1 200 Fine\r\nX-Odd:  spaces \r\nx-odd: again\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nT: 1\r\n\r\n'
    const production = await startTcpTarget((socket) => socket.once('data', () => socket.end(reply)))
    closers.push(production.close)
    const staging = await target()
    const mirror = await startMirror(production.port, '--to', staging.url, '--compare')
    expect(await exchangeBytes(mirror.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe(reply)
    await staging.saw(1)
    mirror.signal('SIGTERM')
    expect((await mirror.ended).code).toBe(0)
  })

  it.each([
    ['never answers', () => startTcpTarget((socket) => socket.resume()), ['timeout', 'waited', 'ended']],
    [
      'resets every connection',
      () => startTcpTarget((socket) => socket.resetAndDestroy()),
      ['reset', 'closed', 'waited'],
    ],
    ['is down', async () => ({ port: await closedPort(), close: () => Promise.resolve() }), ['refused', 'waited']],
  ])('answers every client while staging %s, and accounts for every copy', async (_, startStaging, reasons) => {
    const staging = await startStaging()
    closers.push(staging.close)
    const production = await target()
    const flags = ['--max-in-flight', '2', '--timeout', '1s', '--json']
    const mirror = await startMirror(production.port, '--to', `http://127.0.0.1:${staging.port}`, ...flags)
    const replies = await Promise.all(Array.from({ length: 100 }, async () => ask(mirror.port, 'GET', '/')))
    expect(replies.every(({ status, body }) => status === 200 && body === 'ok')).toBe(true)
    expect(production.seen).toHaveLength(100)
    mirror.signal('SIGTERM')
    const { code, stdout } = await mirror.ended
    expect(code).toBe(0)
    const { counts } = proofOf(stdout)
    const gone = [counts.dropped, counts.unanswered].flatMap((tally) => Object.entries(tally))
    expect(counts).toMatchObject({ taken: 100, answered: 0 })
    expect(gone.reduce((sum, [, count]) => sum + count, 0)).toBe(100)
    expect(reasons).toEqual(expect.arrayContaining(gone.map(([reason]) => reason)))
  })

  it('says why copies had no reply', async () => {
    const production = await target()
    const mirror = await startMirror(production.port, '--to', `127.0.0.1:${await closedPort()}`)
    for (let number = 0; number < 3; number++) expect((await ask(mirror.port, 'GET', '/')).body).toBe('ok')
    mirror.signal('SIGTERM')
    const { code, stdout } = await mirror.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/unanswered +3 {2}connection refused 3/)
  })

  it('ends at once on the second INT, with the proof of what it knows', async () => {
    let copied: () => void = () => undefined
    const copy = new Promise<void>((resolve) => {
      copied = resolve
    })
    const staging = await startTcpTarget((socket) => socket.once('data', copied))
    closers.push(staging.close)
    const production = await target()
    const mirror = await startMirror(
      production.port,
      '--to',
      `http://127.0.0.1:${staging.port}`,
      '--timeout',
      '10m',
      '--json',
    )
    await ask(mirror.port, 'GET', '/')
    await copy
    mirror.signal('SIGINT')
    await mirror.said(/SIGINT: no new connections/)
    mirror.signal('SIGINT')
    const { code, stdout } = await mirror.ended
    expect(code).toBe(0)
    const { counts } = proofOf(stdout)
    expect(counts.unanswered).toEqual({ ended: 1 })
  })

  it('leaves out what does not match, and every request that a mirror sent', async () => {
    const [production, staging] = [await target(), await target()]
    const second = await startMirror(production.port, '--to', staging.url, '--json')
    const first = await startMirror(
      production.port,
      '--to',
      `127.0.0.1:${second.port}`,
      '--match',
      'request.path != "/no"',
    )
    for (const path of ['/yes', '/no', '/yes']) await ask(first.port, 'GET', path)
    first.signal('SIGTERM')
    expect((await first.ended).stdout).toMatch(/left out +1 {2}not matched 1/)
    second.signal('SIGTERM')
    const { requests } = proofOf((await second.ended).stdout)
    expect(requests).toMatchObject({ seen: 2, filtered: 2 })
    expect(staging.seen).toEqual([])
  })

  it('reads environments from mesh.yaml', async () => {
    const [production, staging] = [await target(json({ a: 1, now: 1 })), await target(json({ a: 1, now: 2 }))]
    const config = folder.path('mesh.yaml')
    const settings = `url: ${staging.url}, writes: true, headers: { x-env: staging }, compare: { ignore: [body.now] }`
    writeFileSync(config, `environments:\n  staging: { ${settings} }\n`)
    const mirror = await startMirror(production.port, '--to', 'staging', '--config', config, '--json')
    await ask(mirror.port, 'DELETE', '/items/1')
    await staging.saw(1)
    mirror.signal('SIGTERM')
    const { comparison } = proofOf((await mirror.ended).stdout)
    expect(comparison).toMatchObject({ same: 1, diverging: 0 })
    expect(staging.seen[0]).toMatchObject({ method: 'DELETE', headers: { 'x-env': 'staging' } })
  })

  it('mirrors recordings, in the order of time, and compares with what was recorded', async () => {
    const production = await target(json({ a: 1 }))
    const tap = await startTap(production.port, folder.path('shop.mcap'))
    for (const path of ['/1', '/2', '/3']) await ask(tap.port, 'GET', path)
    await ask(tap.port, 'POST', '/4')
    tap.signal('SIGTERM')
    await tap.ended
    const staging = await target(json({ a: 2 }))
    const { code, stdout, stderr } = await runMesh(
      'mirror',
      folder.path('shop.mcap'),
      '--to',
      staging.url,
      '--compare',
      '--json',
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining('mirroring 1 recording to')])
    expect(staging.seen.map(({ path }) => path)).toEqual(['/1', '/2', '/3'])
    const proof = proofOf(stdout)
    expect(proof.counts).toMatchObject({ taken: 4, answered: 3, held: { POST: 1 } })
    expect(proof.comparison).toMatchObject({ diverging: 3 })
  })

  it.each([
    [
      ['--to', 'stagin'],
      /expected an environment or a URL, found "stagin"; mesh\.yaml has no environments.*\[MESH_ERR_USAGE\]/,
    ],
    [['--to', 'http://127.0.0.1:9'], /target other than the service that is mirrored/],
    [['--to', 'http://localhost:9'], /target other than the service that is mirrored/],
    [['--to', 'http://127.0.0.1:8', '--twin', 'http://127.0.0.1:9'], /--twin.*name a staging service/],
    [['--to', 'ftp://a'], /expected http:\/\/host/],
    [['--to', 'http://a:8', '--ignore', 'price', '--compare'], /expected a field such as body\.updatedAt/],
    [['--to', 'http://a:8', '--match', 'request.'], /\[MESH_ERR_EXPRESSION\]/],
    [['--to', 'http://a:8', '-H', 'Content-Length: 3'], /other than those set by us/],
    [[], /--to is missing/],
  ])('refuses %j before it opens anything', async (words, expected) => {
    const { code, stdout, stderr } = await runMesh(
      'mirror',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      '127.0.0.1:9',
      ...words,
    )
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(expected)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
