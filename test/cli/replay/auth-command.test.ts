import { readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { AuthCommand } from '../../../src/cli/replay/auth-command.ts'
import { temporaryFolder } from '../../support/mesh.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

it.each([
  ['a bare token', 'echo abc', 'Bearer abc'],
  ['the value of the header', 'echo Basic YTpi', 'Basic YTpi'],
  ['an answer of OAuth 2', `echo '{"access_token":"abc","token_type":"bearer","expires_in":300}'`, 'Bearer abc'],
  ['one with a scheme of its own', `echo '{"access_token":"abc","token_type":"DPoP"}'`, 'DPoP abc'],
])('%s becomes the Authorization, and is asked for once as long as it is good', async (name, command, value) => {
  const count = folder.path(name)
  const source = new AuthCommand(`[ ! -e '${count}' ] && touch '${count}' && ${command}`, () => undefined)
  expect(await Promise.all([source.current(), source.current()])).toEqual([value, value])
  expect(await source.current()).toBe(value)
})

it('is asked for no more often than every five seconds where it is over already, and says so once', async () => {
  const warnings: string[] = []
  const runs = folder.path('runs')
  const token = `${part({ alg: 'HS256' })}.${part({ exp: 1_000 })}.signature`
  let nowMs = 2_000_000
  const source = new AuthCommand(
    `echo x >> '${runs}'; echo ${token}`,
    (line) => warnings.push(line),
    () => nowMs,
  )
  for (const [atMs, times] of [
    [2_000_000, 1],
    [2_004_999, 1],
    [2_005_000, 2],
    [2_009_999, 2],
  ] as const) {
    nowMs = atMs
    for (let time = 0; time < 5; time++) expect(await source.current()).toBe(`Bearer ${token}`)
    expect(readFileSync(runs, 'utf8')).toBe('x\n'.repeat(times))
  }
  expect(warnings).toEqual([expect.stringContaining('printed an Authorization that is over already')])
})

it('goes on with what is still good where the command fails later, says so once, and gives up when that is over', async () => {
  const warnings: string[] = []
  const first = folder.path('first')
  const token = `${part({ alg: 'HS256' })}.${part({ exp: 1_300 })}.signature`
  const command = `[ ! -e '${first}' ] && touch '${first}' && echo ${token} || exit 3`
  let nowMs = 1_000_000
  const source = new AuthCommand(
    command,
    (line) => warnings.push(line),
    () => nowMs,
  )
  const valueAt = (ms: number): Promise<string> => {
    nowMs = ms
    return source.current()
  }
  // It is asked again a minute before the token is over.
  expect([await valueAt(1_000_000), await valueAt(1_239_999)]).toEqual([`Bearer ${token}`, `Bearer ${token}`])
  expect(warnings).toEqual([])
  expect(await valueAt(1_240_000)).toBe(`Bearer ${token}`)
  expect(warnings).toEqual([expect.stringMatching(/ended with exit code 3 .*: the Authorization from before goes on/)])
  expect(await valueAt(1_244_999)).toBe(`Bearer ${token}`)
  await expect(valueAt(1_300_000)).rejects.toMatchObject({ code: 'MESH_ERR_USAGE', where: '--auth-command' })
  expect(warnings).toHaveLength(1)
})
