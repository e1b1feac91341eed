import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Segment } from '../../../src/core/segment.ts'
import { LiveSource } from '../../../src/capture/live/source.ts'
import { captureFilter } from '../../../src/capture/live/tcpdump.ts'
import { rejectionOf } from '../../support/errors.ts'
import { streams } from '../../support/segments.ts'

/** Why a live capture cannot be tried here, or false. */
function obstacle(): string | false {
  if (process.getuid?.() !== 0) return 'capturing needs root'
  try {
    execFileSync('tcpdump', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'tcpdump is not installed'
  }
}

const OBSTACLE = obstacle()

async function get(port: number, path: string): Promise<string> {
  const sent = request({ host: '127.0.0.1', port, path, agent: false })
  sent.end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const piece of response) body += String(piece)
  return body
}

/** The process that was started with such words. */
function processWith(words: string): number {
  for (const name of readdirSync('/proc')) {
    const file = `/proc/${name}/cmdline`
    if (/^\d+$/.test(name) && existsSync(file) && readFileSync(file, 'utf8').includes(words)) return Number(name)
  }
  throw new Error(`no process was started with: ${words}`)
}

describe('captureFilter', () => {
  it('lets the later fragments of TCP packets through, which have no ports', () => {
    expect(captureFilter([80, 8080], false)).toBe(
      'tcp port 80 or tcp port 8080 or (ip[9] == 6 and ip[6:2] & 0x1fff != 0) or ip6[6] == 44',
    )
    expect(captureFilter([], true)).toMatch(/^tcp or .* or udp port 4789$/)
  })
})

describe('LiveSource', () => {
  it('says how to install tcpdump where it is missing', async () => {
    const missing = LiveSource.start({ interface: 'lo', ports: [80], programs: ['/no/such/tcpdump'] })
    const error = await rejectionOf(missing)
    expect(error.code).toBe('MESH_ERR_TOOL_MISSING')
    expect(error.message).toContain('apt-get install tcpdump')
  })
})

describe.skipIf(OBSTACLE)('LiveSource, with tcpdump', () => {
  it('loses nothing of hundreds of small packets while tcpdump has no turn', async () => {
    const server = createServer((_, reply) => reply.end('ok'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const stop = new AbortController()
    const source = await LiveSource.start({ interface: 'lo', ports: [port] })
    const running = processWith(`tcp port ${port} or`)
    process.kill(running, 'SIGSTOP')
    for (let index = 0; index < 100; index++) await get(port, '/')
    process.kill(running, 'SIGCONT')
    stop.abort()
    let closed = 0
    for await (const batch of source.segments(stop.signal))
      closed += batch.filter(({ kind }) => kind === 'close').length
    server.close()
    expect(source.counters).toMatchObject({ packets: { captureDropped: 0 }, streams: { gaps: 0 } })
    expect(closed).toBe(200)
  })

  it('sees the connections of a server on this machine, whole', async () => {
    const server = createServer((asked, reply) => reply.end(`you asked for ${asked.url}`))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const stop = new AbortController()
    const source = await LiveSource.start({ interface: 'lo', ports: [port] })
    const segments: Segment[] = []
    const asked = (async () => {
      for (let index = 0; index < 20; index++) expect(await get(port, `/${index}`)).toBe(`you asked for /${index}`)
    })()
    for await (const batch of source.segments(stop.signal)) {
      segments.push(...batch)
      if (segments.filter(({ kind }) => kind === 'close').length === 40) stop.abort()
    }
    await asked
    server.close()
    expect(source.ending).toBeUndefined()
    const seen = streams(segments)
    expect(seen).toHaveLength(20)
    for (const [index, { request, response }] of seen.entries()) {
      expect(request).toContain(`GET /${index} HTTP/1.1`)
      expect(response).toContain(`you asked for /${index}`)
    }
    expect(source.counters).toMatchObject({ packets: { captureDropped: 0, otherPorts: 0 }, streams: { gaps: 0 } })
    for (const { atNs } of segments) expect(atNs).toBeGreaterThan(0)
  })

  it('closes open connections and ends orderly when it is aborted', async () => {
    const server = createServer(() => undefined)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const source = await LiveSource.start({ interface: 'lo', ports: [port] })
    const stop = new AbortController()
    const pending = request({ host: '127.0.0.1', port, path: '/never' })
    pending.on('error', () => undefined)
    pending.end()
    const ends: string[] = []
    for await (const batch of source.segments(stop.signal)) {
      for (const segment of batch) {
        if (segment.kind === 'data') stop.abort()
        if (segment.kind === 'close') ends.push(`${segment.direction} ${segment.how}`)
      }
    }
    expect(ends).toEqual(['request cut', 'response cut'])
    expect(source.ending).toBeUndefined()
    pending.destroy()
    server.closeAllConnections()
    server.close()
  })

  it('names the interfaces of this machine where the wanted one is not among them', async () => {
    const error = await rejectionOf(LiveSource.start({ interface: 'nosuch0', ports: [80] }))
    expect(error.code).toBe('MESH_ERR_ADDRESS')
    expect(error.message).toMatch(/found no "nosuch0" \(interface nosuch0\): choose one of any, lo/)
  })
})
