import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, describe, expect, it } from 'vitest'
import { ProcessSource } from '../../src/observe/process.ts'
import { ScrapeSource, type ScrapeTrust } from '../../src/observe/scrape.ts'
import { type TargetSample, TargetWatch } from '../../src/observe/target-watch.ts'

const servers: Server[] = []

/** A certificate for 127.0.0.1, and its key. */
const pem = (name: string): string => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), 'utf8')

async function metricsServer(answer: (response: ServerResponse) => void): Promise<URL> {
  const server = createServer((_, response) => answer(response))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/metrics`)
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A watch whose time stands still until it is told. */
function watch(...sources: ConstructorParameters<typeof TargetWatch>[0]): {
  readonly watching: TargetWatch
  readonly samples: TargetSample[]
  readonly readAt: (ns: number) => Promise<void>
} {
  const samples: TargetSample[] = []
  let nowNs = 0
  const watching = new TargetWatch(
    sources,
    () => nowNs,
    (sample) => samples.push(sample),
  )
  const readAt = (ns: number): Promise<void> => {
    nowNs = ns
    return watching.readAll()
  }
  return { watching, samples, readAt }
}

describe('ScrapeSource', () => {
  it('trusts the authority that it is given, or any where it is told to, and else the system alone', async () => {
    const server = createTlsServer({ key: pem('localhost.key'), cert: pem('localhost.crt') }, (_, response) => {
      response.end('heap 7\n')
    })
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const url = new URL(`https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/metrics`)
    const read = async (trust: ScrapeTrust): Promise<unknown> =>
      (await new ScrapeSource(url, ['*'], trust).read(new AbortController().signal)).readings
    await expect(read({})).rejects.toMatchObject({ code: 'MESH_ERR_UNREACHABLE' })
    const expected = [{ name: 'heap', kind: 'gauge', value: 7 }]
    expect(await read({ ca: pem('localhost.crt') })).toEqual(expected)
    expect(await read({ rejectUnauthorized: false })).toEqual(expected)
  })
})

describe('TargetWatch', () => {
  it('tells counters as rates and gauges as they are, and leaves out histograms with a note', async () => {
    let asked = 0
    const url = await metricsServer((response) => {
      asked += 1
      const lines = [
        '# TYPE lat histogram',
        'lat_sum 4',
        '# TYPE cpu_total counter',
        `cpu_total ${asked * 3}`,
        'heap 7',
      ]
      response.end(`${lines.join('\n')}\n`)
    })
    const { watching, samples, readAt } = watch(new ScrapeSource(url, ['*']))
    await readAt(0)
    await readAt(2e9)
    expect(samples.map(({ atNs, values }) => [atNs, Object.fromEntries(values)])).toEqual([
      [0, { heap: 7 }],
      [2e9, { heap: 7, 'cpu_total/s': 1.5 }],
    ])
    const [summary] = watching.summaries()
    expect(summary).toMatchObject({ kind: 'scrape', reads: 2, failures: 0 })
    expect(summary?.note).toMatch(/1 samples of histograms/)
    expect(summary?.metrics).toContainEqual({ name: 'cpu_total/s', count: 1, mean: 1.5, most: 1.5, last: 1.5 })
  })

  it('tells no rate for a counter that began anew, nor for the time in which nothing could be read', async () => {
    const values = [10, 4, undefined, 8, 10]
    const url = await metricsServer((response) => {
      const value = values.shift()
      if (value === undefined) response.writeHead(503)
      response.end(`# TYPE c counter\nc ${value}\n`)
    })
    const { samples, readAt } = watch(new ScrapeSource(url, ['c']))
    for (let second = 0; second < 5; second++) await readAt(second * 1e9)
    expect(samples.map(({ atNs, failure, values: found }) => [atNs, failure !== '', found.get('c/s')])).toEqual([
      [2e9, true, undefined],
      [4e9, false, 2],
    ])
  })

  it.each([
    [
      'that is another kind of page',
      (response: ServerResponse) => response.writeHead(404).end('no'),
      /status 200.*404/,
    ],
    ['that leads elsewhere', (response: ServerResponse) => response.writeHead(302, { location: '/' }).end(), /302/],
    [
      'that has no end',
      (response: ServerResponse) => {
        const more = (): void => void response.write('a'.repeat(1 << 20), () => setImmediate(more))
        more()
      },
      /at most 4194304 bytes/,
    ],
    ['that is cut off', (response: ServerResponse) => response.destroy(), /no metrics: socket hang up/],
  ])('counts a page %s, and goes on', async (_, answer, why) => {
    const url = await metricsServer(answer)
    const { watching, samples, readAt } = watch(new ScrapeSource(url, []))
    await readAt(1e9)
    expect(samples[0]?.failure).toMatch(why)
    expect(watching.summaries()).toMatchObject([{ reads: 1, failures: 1, metrics: [] }])
  })

  it('gives up on a server that does not answer, and drops what is under way when it is closed', async () => {
    const url = await metricsServer(() => undefined)
    const { watching, samples, readAt } = watch(new ScrapeSource(url, []))
    await readAt(1e9)
    expect(samples[0]?.failure).toMatch(/no metrics within 2 s/)
    const under = readAt(2e9)
    watching.close()
    await under
    expect(samples).toHaveLength(1)
  })

  it('takes a series that a page has twice once, and numbers as large as there are', async () => {
    let asked = 0
    const url = await metricsServer((response) => {
      asked += 1
      response.end(`# TYPE c counter\nc ${asked * 3}\nc 1\nheap 1.7e308\nheap 5\n`)
    })
    const { watching, samples, readAt } = watch(new ScrapeSource(url, ['*']))
    for (let second = 0; second < 3; second++) await readAt(second * 1e9)
    expect(samples.map(({ values }) => values.get('c/s'))).toEqual([undefined, 3, 3])
    const heap = watching.summaries()[0]?.metrics.find(({ name }) => name === 'heap')
    expect(heap).toMatchObject({ count: 3, most: 1.7e308 })
    expect((heap?.mean ?? 0) / 1.7e308).toBeCloseTo(1)
  })

  it('keeps at most a hundred series, whatever labels come', async () => {
    let asked = 0
    const url = await metricsServer((response) => {
      asked += 1
      response.end(Array.from({ length: 40 }, (_, index) => `up{pod="${asked}-${index}"} 1\n`).join(''))
    })
    const { watching, readAt } = watch(new ScrapeSource(url, ['up']))
    for (let second = 0; second < 5; second++) await readAt(second * 1e9)
    expect(watching.summaries()[0]?.metrics).toHaveLength(100)
  })
})

describe.skipIf(process.platform !== 'linux')('ProcessSource', () => {
  it('tells what a process uses, and says when it is gone', async () => {
    const child = spawn(process.execPath, ['-e', `process.stdout.write('x'); for (;;);`])
    await once(child.stdout, 'data')
    const { samples, readAt } = watch(new ProcessSource(child.pid ?? 0))
    await readAt(0)
    await readAt(1e9)
    expect([...(samples[0]?.values.keys() ?? [])]).toEqual(['resident_memory_bytes', 'threads', 'open_descriptors'])
    expect(samples[0]?.values.get('resident_memory_bytes')).toBeGreaterThan(1e6)
    expect(samples[0]?.values.get('threads')).toBeGreaterThan(0)
    expect(samples[1]?.values.get('cpu_seconds/s')).toBeGreaterThanOrEqual(0)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await readAt(2e9)
    expect(samples.at(-1)?.failure).toMatch(/no such process/)
  })
})
