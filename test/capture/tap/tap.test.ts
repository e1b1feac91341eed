import { describe, expect, it, onTestFinished } from 'vitest'
import { tapMetrics } from '../../../src/capture/tap/metrics.ts'
import { startRecorderThread } from '../../../src/capture/tap/recorder-thread.ts'
import { RingSource } from '../../../src/capture/tap/source.ts'
import { startTap } from '../../../src/capture/tap/tap.ts'
import type { Tap } from '../../../src/capture/tap/tap.ts'
import { unixNs } from '../../../src/core/clock.ts'
import type { Endpoint, Segment } from '../../../src/core/segment.ts'
import { allocateRing } from '../../../src/net/ring.ts'
import { connectTo, readAll, readBytes, startServer, until } from '../../net/support.ts'

const LISTEN: Endpoint = { address: '127.0.0.1', port: 0 }

/** A tap before an echo, drained without grace after the test; and what stops it. */
async function startEchoTap(ring: SharedArrayBuffer): Promise<{ tap: Tap; stop: AbortController }> {
  const upstream = await startServer((socket) => socket.pipe(socket))
  const stop = new AbortController()
  const tap = await startTap({ listen: LISTEN, upstream, graceMs: 0 }, ring, stop.signal)
  onTestFinished(async () => {
    stop.abort()
    tap.detach()
    await tap.closed
  })
  return { tap, stop }
}

/** Everything that a ring's reader gets, until the ring ends. */
async function readRing(ring: SharedArrayBuffer): Promise<Segment[]> {
  const segments: Segment[] = []
  for await (const batch of new RingSource(ring).segments(new AbortController().signal)) segments.push(...batch)
  return segments
}

/** Sends a text through an echo and gives what comes back, up to the end. */
async function echo(address: Endpoint, text: string): Promise<string> {
  const client = await connectTo(address)
  client.end(text)
  return (await readAll(client)).toString()
}

/** A module for a thread, as a URL. */
function moduleOf(code: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

describe('a tap', () => {
  it('gives its reader every connection, whole and in order, and ends with the signal', async () => {
    const ring = allocateRing(1024 * 1024)
    const before = unixNs()
    const { tap, stop } = await startEchoTap(ring)
    const reading = readRing(ring)
    for (const text of ['first', 'second']) expect(await echo(tap.address, text)).toBe(text)
    await until(() => tap.counters().relay.open === 0)
    stop.abort()
    await tap.closed
    const segments = await reading
    for (const connection of [0, 1]) {
      const own = segments.filter((each) => each.connection === connection)
      expect(own[0]?.kind).toBe('open')
      for (const direction of ['request', 'response']) {
        const stream = own.filter((each) => each.kind !== 'open' && each.direction === direction)
        expect(stream.map((each) => each.kind)).toEqual(['data', 'close'])
      }
    }
    expect(segments[0]).toMatchObject({ midStream: false, client: { address: '127.0.0.1' } })
    const times = segments.map((each) => each.atNs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(0)
    expect(tap.originUnixNs).toBeGreaterThanOrEqual(before)
    const bytes = segments.flatMap((each) => (each.kind === 'data' ? [Buffer.from(each.bytes).toString()] : []))
    expect(bytes).toEqual(['first', 'first', 'second', 'second'])
    expect(tap.accepting).toBe(false)
  })

  it('relays everything while nobody reads its ring, and tells exactly what was lost once somebody does', async () => {
    const ring = allocateRing(4096)
    const { tap, stop } = await startEchoTap(ring)
    const bytes = Buffer.alloc(300_000, 'mesh')
    const client = await connectTo(tap.address)
    const back = readAll(client)
    client.end(bytes)
    expect((await back).equals(bytes)).toBe(true)
    await until(() => tap.counters().relay.open === 0)
    expect(tap.counters().losses.ringFullBytes).toBeGreaterThan(0)
    stop.abort()
    const segments = await readRing(ring)
    await tap.closed
    const sizes = { data: 0, gap: 0 }
    for (const each of segments) {
      if (each.kind === 'data') sizes.data += each.bytes.length
      if (each.kind === 'gap') sizes.gap += each.length
    }
    expect(sizes.data + sizes.gap).toBe(600_000)
    expect(sizes.gap).toBe(tap.counters().losses.ringFullBytes)
    expect(segments.filter((each) => each.kind === 'close')).toHaveLength(2)
  })

  it('relays on when the recording thread dies, and counts what nobody hears', async () => {
    const ring = allocateRing(65_536)
    const { tap } = await startEchoTap(ring)
    const dying = `import { parentPort } from 'node:worker_threads'
      parentPort.on('message', () => { throw new Error('out of luck') })`
    const recorder = startRecorderThread(moduleOf(dying), { ring, config: {} }, () => undefined)
    const client = await connectTo(tap.address)
    client.write('one')
    await readBytes(client, 3)
    recorder.post('die')
    expect(await recorder.ended).toMatchObject({
      code: 'MESH_ERR_WORKER_DIED',
      what: 'the recording thread died: out of luck',
    })
    tap.detach()
    client.write('two')
    expect((await readBytes(client, 3)).toString()).toBe('two')
    expect(await echo(tap.address, 'three')).toBe('three')
    expect(tap.counters().losses.unheardBytes).toBe(2 * 3 + 2 * 5)
  })

  it('tells a new reader of the connections that are open', async () => {
    const { tap, stop } = await startEchoTap(allocateRing(4096))
    const client = await connectTo(tap.address)
    client.write('one')
    await readBytes(client, 3)
    tap.detach()
    const ring = allocateRing(4096)
    tap.attach(ring)
    client.end('two')
    await readAll(client)
    await until(() => tap.counters().relay.open === 0)
    stop.abort()
    const [open, data] = await readRing(ring)
    expect(open).toMatchObject({ kind: 'open', connection: 0, midStream: true })
    expect(data).toMatchObject({ kind: 'data', direction: 'request', acknowledged: 0 })
  })

  it('shows its counters as metrics', async () => {
    const { tap } = await startEchoTap(allocateRing(65_536))
    await echo(tap.address, 'hello')
    await until(() => tap.counters().relay.open === 0)
    const metrics = tapMetrics(tap.counters())
    const value = (name: string, label = ''): number | undefined =>
      metrics.find((each) => each.name === name && Object.values(each.labels ?? {}).join('') === label)?.value
    expect(value('mesh_tap_connections_total')).toBe(1)
    expect(value('mesh_tap_relayed_bytes_total', 'request')).toBe(5)
    expect(value('mesh_tap_relayed_bytes_total', 'response')).toBe(5)
    expect(value('mesh_tap_unrecorded_bytes_total', 'ring_full')).toBe(0)
    expect(value('mesh_tap_relay_seconds', '0.5')).toBeGreaterThan(0)
  })
})

describe('a recording thread', () => {
  it('gets the ring and its configuration, and ends in order', async () => {
    const ring = allocateRing(4096)
    const code = `import { parentPort, workerData } from 'node:worker_threads'
      parentPort.postMessage([workerData.ring.byteLength, workerData.config])`
    const messages: unknown[] = []
    const recorder = startRecorderThread(moduleOf(code), { ring, config: { file: 'a.mcap' } }, (message) => {
      messages.push(message)
    })
    expect(await recorder.ended).toBeUndefined()
    expect(messages).toEqual([[ring.byteLength, { file: 'a.mcap' }]])
  })

  it('is dead where it exits with a code', async () => {
    const recorder = startRecorderThread(
      moduleOf('process.exit(3)'),
      { ring: allocateRing(1), config: 0 },
      () => undefined,
    )
    expect(await recorder.ended).toMatchObject({ what: 'the recording thread died: it exited with code 3' })
  })

  it('is not dead where it was stopped', async () => {
    const code = `setInterval(() => undefined, 1000)`
    const recorder = startRecorderThread(moduleOf(code), { ring: allocateRing(1), config: 0 }, () => undefined)
    await recorder.terminate()
    expect(await recorder.ended).toBeUndefined()
  })
})

describe('a ring source', () => {
  it('ends at once when its signal aborts', async () => {
    const stop = new AbortController()
    const iteration = new RingSource(allocateRing(4096)).segments(stop.signal).next()
    stop.abort()
    expect(await iteration).toEqual({ done: true, value: undefined })
  })
})
