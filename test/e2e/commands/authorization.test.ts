import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'

const SECRET = 'the secret that the service signs with'
const DAY_S = 86_400

const folder = temporaryFolder()
const file = folder.path('a.mcap')
const keyFile = folder.path('jwt.key')

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const recordedAtS = Math.floor(Date.now() / 1_000) - 30 * DAY_S
const token = `${part({ alg: 'HS256' })}.${part({ sub: 'u1', exp: recordedAtS + 600 })}.mesh-0123456789abcdef`

/** What the service says of tokens that it signed itself: whether they are good now. */
function isGood(authorization: string): boolean {
  const [, signed = '', claims = '', signature] = /^Bearer ([^.]+\.([^.]+))\.([^.]+)$/.exec(authorization) ?? []
  if (signature !== createHmac('sha256', SECRET).update(signed).digest('base64url')) return false
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number }
  return exp > Date.now() / 1_000
}

const seen: string[] = []
let server: Server
let url = ''

beforeAll(async () => {
  writeFileSync(keyFile, `${SECRET}\n`)
  server = createServer({ keepAliveTimeout: 0 }, ({ headers }, response) => {
    const { authorization = '' } = headers
    seen.push(authorization)
    response.writeHead(isGood(authorization) || authorization.startsWith('Bearer given-') ? 200 : 401).end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  await recordSessions(file, {
    host: 'a',
    startUnixNs: BigInt(recordedAtS) * 1_000_000_000n,
    users: 4,
    steps: 20,
    gapMs: 150,
    lines: [`Authorization: Bearer ${token}`],
  })
})

afterAll(() => {
  server.close()
  server.closeAllConnections()
  folder.remove()
})

/** Statuses of the replies, as the report counts them, and what was sent. */
async function replayed(
  ...flags: readonly string[]
): Promise<{ statuses: unknown; sent: string[]; everything: string }> {
  seen.length = 0
  const directory = folder.path(`run ${flags[0] ?? 'plain'}`)
  const { stdout, stderr } = await startReplay([file], url, '--no-breaker', '-o', directory, ...flags).ended
  const document = readFileSync(`${directory}/run.json`, 'utf8')
  const { totals } = JSON.parse(document) as { totals: { statuses: unknown } }
  const page = readFileSync(`${directory}/report.html`, 'utf8')
  return { statuses: totals.statuses, sent: [...seen], everything: stdout + stderr + document + page }
}

describe('the Authorization of a masked recording', () => {
  it('is refused as it is', async () => {
    const { statuses, everything } = await replayed()
    expect(statuses).toEqual({ 401: 80 })
    expect(everything.replaceAll(/\s+/g, ' ')).toContain('every reply was 401 or 403')
  })

  it('is taken with --jwt-key: signed anew, and good for as long as it was', async () => {
    const { statuses, sent, everything } = await replayed('--jwt-key', keyFile)
    expect(statuses).toEqual({ 200: 80 })
    expect(new Set(sent).size).toBe(1)
    expect(everything).not.toContain(SECRET)
  })

  it('is what --auth-command prints, again before that is over, and shown nowhere', async () => {
    const count = folder.path('count')
    const command = `echo x >> '${count}'; n=$(wc -l < '${count}'); printf '{"access_token":"given-%s","expires_in":1}' $n`
    const { statuses, sent, everything } = await replayed('--auth-command', command, '--speed', '0.5x')
    expect(statuses).toEqual({ 200: 80 })
    expect(new Set(sent).size).toBeGreaterThanOrEqual(2)
    expect(everything).not.toMatch(/given-|access_token/)
  })

  it.each([
    ['fails', 'echo given-secret; exit 7', 'the command ended with exit code 7'],
    ['prints nothing', 'true', 'the command printed no token'],
    ['prints JSON without a token', 'echo "{}"', 'the command printed JSON without access_token'],
    ['prints several lines', 'echo given-1; echo given-2', 'the command printed what cannot stand in a header'],
  ])(
    'stops the run before it begins where the command %s, and says so without what it printed',
    async (_, command, said) => {
      seen.length = 0
      const { code, stderr } = await runMesh('replay', file, '--to', url, '--auth-command', command)
      expect([code, seen]).toEqual([2, []])
      expect(stderr).toContain(said)
      expect(stderr).not.toContain('given-')
    },
  )
})
