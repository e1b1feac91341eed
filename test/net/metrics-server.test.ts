import { describe, expect, it, onTestFinished } from 'vitest'
import { formatMetrics, startMetricsServer } from '../../src/net/metrics-server.ts'
import type { Metric, MetricsServer } from '../../src/net/metrics-server.ts'
import { startServer } from './support.ts'

const METRICS: readonly Metric[] = [
  { name: 'mesh_bytes_total', help: 'Bytes.', type: 'counter', value: 12, labels: { direction: 'request' } },
  { name: 'mesh_bytes_total', help: 'Bytes.', type: 'counter', value: 34, labels: { direction: 'response' } },
  { name: 'mesh_open', help: 'Open\nnow.', type: 'gauge', value: 0.5 },
]

async function start(ready: boolean): Promise<MetricsServer> {
  const subject = { metrics: () => METRICS, ready: () => ready }
  const server = await startMetricsServer({ address: '127.0.0.1', port: 0 }, subject)
  onTestFinished(async () => server.close())
  return server
}

async function get(server: MetricsServer, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${server.address.port}${path}`)
  return { status: response.status, text: await response.text() }
}

describe('formatMetrics', () => {
  it("writes Prometheus' text, help and type once a name", () => {
    expect(formatMetrics(METRICS)).toBe(
      [
        '# HELP mesh_bytes_total Bytes.',
        '# TYPE mesh_bytes_total counter',
        'mesh_bytes_total{direction="request"} 12',
        'mesh_bytes_total{direction="response"} 34',
        '# HELP mesh_open Open\\nnow.',
        '# TYPE mesh_open gauge',
        'mesh_open 0.5',
        '',
      ].join('\n'),
    )
  })

  it('escapes label values and spells infinity', () => {
    const metric: Metric = { name: 'a', help: '', type: 'gauge', value: Infinity, labels: { b: '"\\\n' } }
    expect(formatMetrics([metric])).toContain('a{b="\\"\\\\\\n"} +Inf\n')
    expect(formatMetrics([])).toBe('')
  })
})

describe('a metrics server', () => {
  it('serves metrics, health and readiness', async () => {
    const server = await start(true)
    expect(await get(server, '/metrics')).toEqual({ status: 200, text: formatMetrics(METRICS) })
    expect(await get(server, '/health')).toEqual({ status: 200, text: 'ok\n' })
    expect(await get(server, '/ready?x')).toEqual({ status: 200, text: 'ready\n' })
    expect((await get(server, '/')).status).toBe(404)
  })

  it('is not ready where its subject is not, and healthy all the same', async () => {
    const server = await start(false)
    expect((await get(server, '/ready')).status).toBe(503)
    expect((await get(server, '/health')).status).toBe(200)
  })

  it('says that its port is in use', async () => {
    const taken = await startServer(() => undefined)
    const subject = { metrics: () => METRICS, ready: () => true }
    await expect(startMetricsServer(taken, subject)).rejects.toMatchObject({ code: 'MESH_ERR_PORT_IN_USE' })
  })
})
