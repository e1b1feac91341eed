import { chmodSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { claimOverlay } from '../../../src/cow/postgres/overlay/overlay.ts'
import { startPostgresProxy } from '../../../src/cow/postgres/proxy.ts'
import { rejectionOf } from '../../support/errors.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { startTcpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
// The overlay runs as another user where the tests run as root.
chmodSync(folder.path('.'), 0o755)
afterAll(() => folder.remove())

describe('startPostgresProxy', () => {
  it('asks nothing of production where another mesh has the branches, and says how to have others', async () => {
    let connections = 0
    const production = await startTcpTarget((socket) => {
      connections++
      socket.destroy()
    })
    const overlay = { kind: 'embedded', stateFolder: folder.path('.'), name: 'shop' } as const
    const options = {
      upstream: { address: { host: '127.0.0.1', port: production.port }, user: 'reader', database: 'shop' },
      overlay,
      stateFolder: folder.path('gate'),
      branch: 'other',
      listen: { address: '127.0.0.1', port: 0 },
      authentication: { method: 'trust', passwordOf: () => undefined },
      maxClients: 1,
      trustUpstreamRole: false,
    } as const
    const claim = await claimOverlay(overlay)
    const refused = await rejectionOf(startPostgresProxy(options, new AbortController().signal))
    expect(refused).toMatchObject({ code: 'MESH_ERR_FILE_EXISTS', remedy: expect.stringMatching(/--state$/) as string })
    expect(refused.remedy).not.toMatch(/--branch/)
    expect(connections).toBe(0)
    await claim.release()
    await rejectionOf(startPostgresProxy(options, new AbortController().signal))
    expect(connections).toBeGreaterThan(0)
    // A start that failed leaves the branches free.
    await (await claimOverlay(overlay)).release()
    await production.close()
  })
})
