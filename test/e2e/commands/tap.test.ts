import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRecordings } from '../../../src/archive/open.ts'
import { latin1, utf8 } from '../../../src/core/bytes.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import { parseHead, requestLine, statusCode } from '../../../src/core/head.ts'
import { ledgerImbalance } from '../../../src/core/ledger.ts'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import type { Nginx } from '../../support/nginx.ts'
import { NGINX_ABSENT, startNginx } from '../../support/nginx.ts'

const run = promisify(execFile)
const CURL_ABSENT = ['/usr/bin/curl', '/bin/curl', '/usr/local/bin/curl'].some((path) => existsSync(path))
  ? false
  : 'curl is not installed'

const folder = temporaryFolder()
let nginx: Nginx | undefined

const LOCATIONS = `
  location /hello { default_type text/plain; return 200 "hello\\n"; }
  location /missing { return 404; }
  location /moved { return 302 /hello?token=abc; }
  location /empty { return 204; }
`

async function recorded(file: string): Promise<{ exchanges: Exchange[]; balanced: boolean }> {
  const [reader] = await openRecordings([file], process.stdin)
  if (reader === undefined) throw new Error('no recording')
  const exchanges: Exchange[] = []
  for await (const exchange of reader.exchanges()) exchanges.push(structuredClone(exchange))
  const balanced = ledgerImbalance(await reader.ledger()).size === 0
  await reader.close()
  return { exchanges, balanced }
}

describe.skipIf(NGINX_ABSENT || CURL_ABSENT)('mesh capture tap before a real nginx', () => {
  beforeAll(async () => {
    nginx = await startNginx(LOCATIONS)
  })
  afterAll(async () => {
    await nginx?.stop()
    folder.remove()
  })

  it('records what curl and nginx say, masks secrets, and ends 0 on TERM with a ledger that balances', async () => {
    const file = folder.path('curl.mcap')
    const tap = startMesh([
      'capture',
      'tap',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      `127.0.0.1:${nginx?.port}`,
      '-o',
      file,
    ])
    const [, port = ''] = await tap.said(/listening on 127\.0\.0\.1:(\d+)/)
    const base = `http://127.0.0.1:${port}`
    const { stdout } = await run('curl', ['-s', `${base}/hello?token=hunter2`, '-b', 'sid=hunter2'])
    await run('curl', ['-s', `${base}/missing`])
    await run('curl', ['-s', '-I', `${base}/hello`])
    await run('curl', ['-s', `${base}/moved`, '-d', 'password=hunter2'])
    await run('curl', ['-s', `${base}/empty`])
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(stderr).toContain('the ledger balances')
    expect(code).toBe(0)
    expect(stdout).toContain('hello')
    expect(statSync(file).mode & 0o777).toBe(0o600)

    const { exchanges, balanced } = await recorded(file)
    expect(balanced).toBe(true)
    const lines = exchanges.map(({ request, response }) => {
      const status = typeof response === 'string' ? response : statusCode(parseHead(response.head))
      const { method, target } = requestLine(parseHead(request.head))
      return `${method} ${target.replace(/mesh-\w+/, 'masked')} ${status}`
    })
    expect(lines).toEqual([
      'GET /hello?token=masked 200',
      'GET /missing 404',
      'HEAD /hello 200',
      'POST /moved 302',
      'GET /empty 204',
    ])
    expect(
      exchanges
        .map((exchange) => JSON.stringify([latin1(exchange.request.head), utf8(exchange.request.body)]))
        .join(''),
    ).not.toContain('hunter2')
  })

  it('never overwrites a recording', async () => {
    const file = folder.path('curl.mcap')
    const { code, stderr } = await runMesh(
      'capture',
      'tap',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      '127.0.0.1:1',
      '-o',
      file,
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/the file exists already.*\[MESH_ERR_FILE_EXISTS\]\n$/)
  })

  it('says which port is in use', async () => {
    const words = ['--upstream', '127.0.0.1:1', '-o', folder.path('port.mcap')]
    const { code, stderr } = await runMesh('capture', 'tap', '--listen', `127.0.0.1:${nginx?.port}`, ...words)
    expect(code).toBe(1)
    expect(stderr).toMatch(/port is in use.*\[MESH_ERR_PORT_IN_USE\]\n$/)
  })
})
