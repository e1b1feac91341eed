import { describe, expect, it } from 'vitest'

import { resolveTarget } from '../../../src/replay/senders/resolve-target.ts'
import { parseResolveRule } from '../../../src/replay/senders/target.ts'
import { sendShots, shot } from './shots.ts'
import { reply, startTarget } from './targets.ts'

describe('resolveTarget', () => {
  it.each([
    ['http://127.0.0.1:8080', { host: '127.0.0.1', port: 8080, address: '127.0.0.1', tls: undefined }],
    ['http://127.0.0.1/path?is=ignored', { port: 80 }],
    ['https://127.0.0.1', { port: 443, tls: { serverName: '', verify: true } }],
    ['http://[::1]:81', { host: '::1', port: 81, address: '::1' }],
  ])('reads %s', async (url, target) => {
    expect(await resolveTarget({ url })).toMatchObject(target)
  })

  it.each(['canary:8080', 'ftp://canary', 'canary', ''])('refuses "%s", naming what it expects', async (url) => {
    await expect(resolveTarget({ url })).rejects.toMatchObject({ code: 'MESH_ERR_USAGE', where: '--to' })
  })

  it('takes the address that a rule gives for host and port', async () => {
    const resolve = [parseResolveRule('canary.test:8080:10.0.0.7', '--resolve')]
    const target = await resolveTarget({ url: 'https://Canary.test:8080', resolve })
    expect(target).toMatchObject({ address: '10.0.0.7', tls: { serverName: 'canary.test' } })
  })

  it('says so where a name does not resolve', async () => {
    await expect(resolveTarget({ url: 'http://no-such-host.invalid' })).rejects.toMatchObject({
      code: 'MESH_ERR_ADDRESS',
    })
  })

  it('takes the address of a name that accepts connections', async () => {
    const server = await startTarget(({ socket }) => socket.write(reply()))
    const target = await resolveTarget({ url: `http://localhost:${server.target.port}` })
    expect(target.address).toBe('127.0.0.1')
    await server.close()
  })

  it('refuses a source address that is not of this machine', async () => {
    const options = { url: 'http://127.0.0.1:80', sourceAddresses: ['192.0.2.1'] }
    await expect(resolveTarget(options)).rejects.toMatchObject({
      code: 'MESH_ERR_ADDRESS',
      where: '--source-address 192.0.2.1',
    })
  })

  it('gives source addresses that connections come from in turn', async () => {
    const from: (string | undefined)[] = []
    const server = await startTarget(({ socket }) => {
      from.push(socket.remoteAddress)
      socket.write(reply())
    })
    const url = `http://127.0.0.1:${server.target.port}`
    const target = await resolveTarget({ url, sourceAddresses: ['127.0.0.2', '127.0.0.3'] })
    await sendShots(
      [0, 1, 2, 3].map((connection) => shot(connection, { connection })),
      target,
    )
    const times = (address: string): number => from.filter((each) => each === address).length
    expect([times('127.0.0.2'), times('127.0.0.3')]).toEqual([2, 2])
    await server.close()
  })
})

describe('parseResolveRule', () => {
  it.each([
    ['canary:8080:10.0.0.7', { host: 'canary', port: 8080, address: '10.0.0.7' }],
    ['Canary:80:[::1]', { host: 'canary', port: 80, address: '::1' }],
    ['canary:80:::1', { host: 'canary', port: 80, address: '::1' }],
  ])('reads %s', (text, rule) => {
    expect(parseResolveRule(text, '--resolve')).toEqual(rule)
  })

  it.each(['canary', 'canary:80', 'canary:port:10.0.0.7', 'canary:99999:10.0.0.7'])('refuses "%s"', (text) => {
    expect(() => parseResolveRule(text, '--resolve')).toThrow('expected host:port:address')
  })
})
