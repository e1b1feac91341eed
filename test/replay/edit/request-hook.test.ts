import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { RequestDraft } from '../../../src/replay/edit/request-draft.ts'
import { RequestHook } from '../../../src/replay/edit/request-hook.ts'
import { exchange } from '../../support/exchanges.ts'
import { temporaryFolder } from '../../support/mesh.ts'

const folder = temporaryFolder()
let files = 0

afterAll(() => folder.remove())

async function hookOf(code: string, extension = 'mjs'): Promise<RequestHook> {
  const file = folder.path(`hook-${files++}.${extension}`)
  writeFileSync(file, code)
  return await RequestHook.load(file)
}

function drafts(count = 1): RequestDraft[] {
  return Array.from({ length: count }, () => new RequestDraft(exchange(), new Date(0), 'host-a'))
}

describe('a hook', () => {
  it('changes requests, knows where they come from, and leaves out those for which it says false', async () => {
    const hook = await hookOf(`let count = 0
      export function request(request) {
        request.setHeader('x-from', request.recorded.host + ' ' + request.recorded.at.getTime())
        request.target = request.target.replace('cart', 'basket')
        return ++count !== 2
      }`)
    const [first, second, third] = drafts(3)
    if (first === undefined || second === undefined || third === undefined) throw new Error('expected three')
    expect(hook.run([first, second, third])).toEqual([true, false, true])
    expect(first.target).toBe('/basket?id=3')
    expect(third.header('X-From')).toBe('host-a 0')
  })

  it('changes no header by writing into the list of them', async () => {
    const hook = await hookOf(`export function request(request) {
        request.headers.push({ name: 'x-pushed', value: '1' })
        request.headers[0].value = 'elsewhere'
      }`)
    const recorded = exchange()
    const draft = new RequestDraft(recorded, new Date(0), 'host-a')
    hook.run([draft])
    expect(draft.header('x-pushed')).toBeUndefined()
    expect(draft.finish('hook')).toBe(recorded.request)
  })

  it('changes no recorded body by writing into it, only by setting it', async () => {
    const recorded = exchange()
    const request = { ...recorded.request, body: Buffer.from('{"id":1}'), bodySize: 8 }
    const hook = await hookOf(`export function request(request) {
        const { body } = request
        body[6] = 0x32
        if (request.recorded.host === 'host-b') request.body = body
      }`)
    const of = (host: string): RequestDraft => new RequestDraft({ ...recorded, request }, new Date(0), host)
    const [first, second] = [of('host-a'), of('host-b')]
    hook.run([first, second])
    expect(first.finish('hook')).toBe(request)
    expect(Buffer.from(request.body).toString()).toBe('{"id":1}')
    expect(Buffer.from(second.finish('hook').body).toString()).toBe('{"id":2}')
  })

  it.each([
    [
      'throws',
      'export function request() { throw new Error("no such tenant") }',
      /threw at GET \/cart\?id=3: no such tenant/,
    ],
    ['never returns', 'export function request() { for (;;); }', /did not come back within 5 s at GET \/cart/],
    ['gives a promise', 'export async function request() { return true }', /returns at once, found a promise/],
  ])('that %s is an error that names the request', async (_, code, message) => {
    const hook = await hookOf(code)
    expect(() => hook.run(drafts())).toThrow(message)
  })

  it.each([
    ['has no function request', 'export const request = 1', /a function "request"/],
    ['is no module', 'export function {', /expected a module/],
    ['throws when it is loaded', 'throw new Error("no licence")', /no licence/],
  ])('that %s is not loaded', async (_, code, message) => {
    await expect(hookOf(code)).rejects.toThrow(message)
  })

  it('may be TypeScript with modules of its own, and errors name the line there', async () => {
    writeFileSync(folder.path('tenants.ts'), 'export const tenant = (host: string): string => `tenant of ${host}`')
    const hook = await hookOf(
      `import { tenant } from './tenants'
      import type { RequestDraft } from 'mesh-replay'
      let count: number = 0
      export function request(request: RequestDraft): void {
        if (++count > 1) throw new Error('no more')
        request.setHeader('x-tenant', tenant(request.recorded.host))
      }`,
      'ts',
    )
    const [first] = drafts()
    if (first === undefined) throw new Error('expected one')
    hook.run([first])
    expect(first.header('x-tenant')).toBe('tenant of host-a')
    expect(() => hook.run(drafts())).toThrow(/no more \(?.*hook-\d+\.ts:5:\d+/)
    await expect(hookOf('export function request( {', 'ts')).rejects.toThrow(/expected a module, found: .* at 1:\d+/)
  })

  it('that is not there is said by its name', async () => {
    await expect(RequestHook.load(folder.path('absent.mjs'))).rejects.toThrow(/^no such file \(.*absent\.mjs\)/)
  })
})
