import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readEnvironment } from '../../../src/cli/environments.ts'
import { dataProxiesOf } from '../../../src/cli/mirror/mirror-cow.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import type { DataProxyStarter } from '../../../src/mirror/data-proxy.ts'
import { freePort } from '../../support/free-port.ts'

const nowhere = (): void => undefined
const SILENT: Terminal = {
  ...{ out: nowhere, say: nowhere, warn: nowhere, progress: nowhere, draw: nowhere, divert: nowhere },
  ...{ columns: 80, colour: false, interactive: false, drawable: false },
}

function proxiesOf(...data: Readonly<Record<string, string>>[]): DataProxyStarter {
  return dataProxiesOf(readEnvironment('staging', { url: 'http://a', data }, 'mesh.yaml'), 'mesh.yaml', SILENT)
}

describe('dataProxiesOf()', () => {
  it('says which of an environment has a setting that nobody knows, or a wrong one', () => {
    const good = { upstream: 'postgres://reader@127.0.0.1/shop' }
    expect(() => proxiesOf(good, { ...good, uptsream: 'x' })).toThrow(
      'unknown setting "uptsream" (mesh.yaml: environments.staging.data[1])',
    )
    expect(() => proxiesOf(good, { upstream: 'mysql://a' })).toThrow(/mesh\.yaml: environments\.staging\.data\[1\]/)
    expect(() => proxiesOf({ listen: '1' })).toThrow(/mesh\.yaml: environments\.staging\.data\[0\]/)
  })

  it('says which of an environment does not start', async () => {
    const state = mkdtempSync(join(tmpdir(), 'mesh-data-'))
    // As root the overlay runs as another user.
    chmodSync(state, 0o755)
    const upstream = `postgres://reader@127.0.0.1:${await freePort()}/shop`
    const starting = proxiesOf({ upstream, state, listen: '127.0.0.1:0' }).start(new AbortController().signal)
    await expect(starting).rejects.toMatchObject({
      code: 'MESH_ERR_UNREACHABLE',
      where: expect.stringMatching(/^mesh\.yaml: environments\.staging\.data\[0\]: 127\.0\.0\.1:\d+$/),
    })
    rmSync(state, { recursive: true, force: true })
  })
})
