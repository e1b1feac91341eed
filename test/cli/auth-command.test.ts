import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { AuthCommand } from '../../src/cli/auth-command.ts'
import { temporaryFolder } from '../support/mesh.ts'

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

it('is asked for no more often than every few seconds where it is over already, and says so once', async () => {
  const warnings: string[] = []
  const runs = folder.path('runs')
  const token = `${part({ alg: 'HS256' })}.${part({ exp: 1_000 })}.signature`
  const source = new AuthCommand(`echo x >> '${runs}'; echo ${token}`, (line) => warnings.push(line))
  for (let time = 0; time < 20; time++) expect(await source.current()).toBe(`Bearer ${token}`)
  expect(readFileSync(runs, 'utf8').length).toBeLessThan(20)
  expect(warnings).toEqual([expect.stringContaining('printed an Authorization that is over already')])
})

it('goes on with what is still good where the command fails later, says so once, and gives up when that is over', async () => {
  const warnings: string[] = []
  const first = folder.path('first')
  const token = `${part({ alg: 'HS256' })}.${part({ exp: Math.ceil(Date.now() / 1_000) + 3 })}.signature`
  const command = `[ ! -e '${first}' ] && touch '${first}' && echo ${token} || exit 3`
  const source = new AuthCommand(command, (line) => warnings.push(line))
  let value = await source.current()
  while (warnings.length === 0) {
    value = await source.current()
    await setImmediate()
  }
  expect(value).toBe(`Bearer ${token}`)
  expect(warnings).toEqual([expect.stringMatching(/ended with exit code 3 .*: the Authorization from before goes on/)])
  await expect(
    (async () => {
      for (;;) {
        await source.current()
        await setImmediate()
      }
    })(),
  ).rejects.toMatchObject({ code: 'MESH_ERR_USAGE', where: '--auth-command' })
  expect(warnings).toHaveLength(1)
})
