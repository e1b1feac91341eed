import { existsSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { hasResponse } from '../../../src/core/exchange.ts'
import { CountingClient } from '../../support/load.ts'
import { startMesh, temporaryFolder } from '../../support/mesh.ts'
import { pathOf, readRecording, recordedSoFar } from '../../support/recorded.ts'
import { startHttpTarget } from '../../support/targets.ts'

const TCPDUMP = ['/usr/bin/tcpdump', '/usr/sbin/tcpdump', '/sbin/tcpdump'].some((path) => existsSync(path))
const LIVE_ABSENT =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'only root may capture without further ado'
    : TCPDUMP
      ? false
      : 'tcpdump is not installed'

const REQUESTS = 200

const folder = temporaryFolder()
afterAll(() => folder.remove())

describe.skipIf(LIVE_ABSENT)(`mesh capture live${LIVE_ABSENT ? ` (${LIVE_ABSENT})` : ''}`, () => {
  it('records what passes an interface, beside traffic that it never touches, and ends in order on TERM', async () => {
    const file = folder.path('live.mcap')
    const target = await startHttpTarget()
    const words = ['capture', 'live', '--interface', 'lo', '--port', String(target.port), '-o', file]
    const live = startMesh(words)
    await live.said(/listening on lo/)
    const client = new CountingClient(target.port, 5)
    await client.run(REQUESTS)
    // Where some are lost, the ledger below says what is missing.
    await recordedSoFar(file, REQUESTS)
    live.signal('SIGTERM')
    const { code, stderr } = await live.ended
    await target.close()
    expect(stderr).toContain('the ledger balances')
    expect(stderr).toMatch(new RegExp(`^requests +${REQUESTS} +${REQUESTS}$`, 'm'))
    expect(code).toBe(0)
    const { exchanges, imbalance, ledger } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    expect(exchanges.filter(hasResponse).map(pathOf).toSorted()).toEqual(client.sent.map(({ path }) => path).toSorted())
    expect(ledger.requests).toMatchObject({ seen: REQUESTS, whole: REQUESTS })
  })
})
