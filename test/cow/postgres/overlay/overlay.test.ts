import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasCluster, openOverlay, type OverlayOptions } from '../../../../src/cow/postgres/overlay/overlay.ts'
import { rejectionOf } from '../../../support/errors.ts'

const never = new AbortController().signal

describe("the overlay's server", () => {
  let options: Extract<OverlayOptions, { kind: 'embedded' }>

  beforeAll(async () => {
    const stateFolder = await mkdtemp(join(tmpdir(), 'mesh-overlay-'))
    await chmod(stateFolder, 0o755)
    options = { kind: 'embedded', stateFolder, name: 'shop', settings: { fsync: 'off' } }
  })
  afterAll(() => rm(options.stateFolder, { recursive: true, force: true }))

  it('leaves no cluster behind where it is stopped while it is made', async () => {
    const stop = new AbortController()
    const opening = openOverlay(options, stop.signal)
    stop.abort()
    expect((await rejectionOf(opening)).code).toBe('MESH_ERR_ABORTED')
    expect(await hasCluster(options)).toBe(false)
  })

  it('starts on a folder where a run was killed while it made the cluster', async () => {
    const folder = join(options.stateFolder, options.name)
    const unfinished = join(folder, 'data.999999999')
    await mkdir(unfinished, { recursive: true })
    await writeFile(join(unfinished, 'PG_VERSION'), '18\n')
    const overlay = await openOverlay(options, never)
    const admin = await overlay.connectAdmin('postgres', never)
    expect((await admin.query('SELECT 1'))[0]?.rows).toEqual([['1']])
    await admin.end()
    await overlay.close()
    expect((await readdir(folder)).filter((name) => name.startsWith('data'))).toEqual(['data'])
    expect(await hasCluster(options)).toBe(true)
  })

  it('ends though it is stopped, and heeds no signal but a kill', async () => {
    const overlay = await openOverlay({ ...options, stopTimeoutMs: 100 }, never)
    const [processId] = (
      await readFile(join(options.stateFolder, options.name, 'data', 'postmaster.pid'), 'utf8')
    ).split('\n')
    process.kill(Number(processId), 'SIGSTOP')
    await overlay.close()
    expect(await overlay.closed).toBeUndefined()
  })
})
