import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import { startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const file = folder.path('a.mcap')

beforeAll(() => recordSessions(file, { host: 'a', users: 2, steps: 3, gapMs: 20 }))
afterAll(() => folder.remove())

describe('mesh replay --rewrite and --hook', () => {
  it('sends what rules of the file, rules of the command line and the hook made of the requests, in that order', async () => {
    writeFileSync(folder.path('mesh.yaml'), 'rewrite: ["path s|^/a/|/b/|"]\n')
    writeFileSync(
      folder.path('hook.mjs'),
      `export function request(request) {
        if (request.target.endsWith('/step/1')) return false
        request.setHeader('x-path', request.target)
      }`,
    )
    const target = await startHttpTarget()
    const { code, stderr } = await runMesh(
      'replay',
      file,
      ...['--to', target.url, '--config', folder.path('mesh.yaml'), '--hook', folder.path('hook.mjs'), '--yes'],
      ...['--rewrite', 'path s|^/b/user|/b/customer|', '--rewrite', 'GET /never/:id path = /'],
    )
    await target.close()
    expect([0, 4]).toContain(code)
    const paths = target.seen.map(({ path }) => path).toSorted()
    expect(paths).toEqual([
      '/b/customer/0/step/0',
      '/b/customer/0/step/2',
      '/b/customer/1/step/0',
      '/b/customer/1/step/2',
    ])
    expect(stderr).toMatch(/rewritten {2}4 of 6 requests by 3 rules and .*hook\.mjs, 2 left out/)
    expect(stderr).toContain('the rule "GET /never/:id path = /" changes no request')
  })

  it('sends nothing where a hook fails at a request', async () => {
    writeFileSync(folder.path('broken.mjs'), 'export function request(request) { return request.none.at(0) }')
    const target = await startHttpTarget()
    const { code, stderr } = await runMesh('replay', file, '--to', target.url, '--hook', folder.path('broken.mjs'))
    await target.close()
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /the hook threw at GET \/a\/user\/\d\/step\/0: Cannot read .*broken\.mjs:1:\d+.*\[MESH_ERR_HOOK\]/,
    )
    expect(target.seen).toEqual([])
  })
})
