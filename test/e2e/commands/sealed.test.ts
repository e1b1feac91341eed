import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McapStreamReader } from '@mcap/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRecordings } from '../../../src/archive/open.ts'
import { openRecording } from '../../../src/archive/reader.ts'
import { loadZstd, zstdDecompress } from '../../../src/archive/zstd.ts'
import { latin1 } from '../../../src/core/bytes.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import { openSealingKey } from '../../../src/mask/sealing-key.ts'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import type { LoginShop } from '../../support/login-shop.ts'
import { createLoginShop } from '../../support/login-shop.ts'
import { passwordOf, shopOnce, STEPS_OF } from '../../support/login-users.ts'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { ageKeys } from '../../support/sealed.ts'
import { startTap } from '../../support/taps.ts'
import { startHttpTarget } from '../../support/targets.ts'

const USERS = ['ann', 'bob', 'eve', 'joe']
const CODINGS = [undefined, 'gzip', 'br']
const PASSWORDS = USERS.flatMap((user) => [passwordOf(user), passwordOf(user).replaceAll(' ', '+')])

const folder = temporaryFolder()
const sealed = folder.path('sealed.mcap')
const masked = folder.path('masked.mcap')
const [first, second, stranger] = [await keyFile('first'), await keyFile('second'), await keyFile('stranger')]
const shops: LoginShop[] = []

/** A key in a file as age-keygen writes it. */
async function keyFile(name: string): Promise<{ path: string; recipient: string; identity: string }> {
  const { identity, recipient } = await ageKeys()
  const path = folder.path(`${name}.key`)
  writeFileSync(path, `# created: 2026-01-01T00:00:00Z\n# public key: ${recipient}\n${identity}\n`, { mode: 0o600 })
  return { path, recipient, identity }
}

/** A fresh shop that lets in who knows his password. */
async function openShop(firstOrder: number): Promise<LoginShop & { readonly port: number; readonly url: string }> {
  const shop = createLoginShop(firstOrder, true, '', passwordOf)
  shops.push(shop)
  await new Promise<void>((resolve) => shop.server.listen(0, '127.0.0.1', resolve))
  const { port } = shop.server.address() as AddressInfo
  return { ...shop, port, url: `http://127.0.0.1:${port}` }
}

/** The users shop through a tap. */
async function record(file: string, ...flags: readonly string[]): Promise<void> {
  const shop = await openShop(17)
  const tap = await startTap(shop.port, file, ...flags)
  const visits = USERS.map((user, index) => {
    const coding = CODINGS[index % CODINGS.length]
    return shopOnce(tap.port, user, coding === undefined ? {} : { coding })
  })
  expect(await Promise.all(visits)).toEqual(USERS.map(() => 0))
  tap.signal('SIGTERM')
  expect((await tap.ended).code).toBe(0)
}

/** The exchanges of a recording, unsealed with a key where one is given. */
async function exchangesOf(file: string, identity?: string): Promise<Exchange[]> {
  const [reader] = await openRecordings([file], process.stdin, 'one', async ({ seal }, where) =>
    seal === undefined || identity === undefined ? undefined : await openSealingKey(seal.key, [identity], where),
  )
  const all: Exchange[] = []
  for await (const exchange of reader?.exchanges() ?? []) all.push(exchange)
  await reader?.close()
  return all
}

/** All bytes of a recording, its chunks unpacked. */
async function bytesOf(file: string): Promise<string> {
  await loadZstd()
  const reader = new McapStreamReader({
    decompressHandlers: { zstd: (bytes, size) => zstdDecompress(bytes, Number(size)) },
  })
  const raw = readFileSync(file)
  reader.append(raw)
  let text = latin1(raw)
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    if (record.type === 'Message') text += latin1(record.data)
  }
  return text
}

/** Cookies and tokens that a shop issued, as they stand in these exchanges. */
function issuedIn(exchanges: readonly Exchange[]): string[] {
  const text = exchanges.map(({ request }) => latin1(request.head)).join('\n')
  return [...text.matchAll(/\bsid=([0-9a-f]{24})\b|\.([\w-]{43})\r\n/g)].map(
    ([, sid, signature]) => sid ?? signature ?? '',
  )
}

beforeAll(async () => {
  await record(sealed, '--seal', first.recipient, '--seal', second.recipient)
  await record(masked)
})

afterAll(() => {
  for (const { server } of shops) {
    server.close()
    server.closeAllConnections()
  }
  folder.remove()
})

describe('a recording of logins, sealed by a tap', () => {
  it('holds none of the secrets in plain bytes, and all of them for who has a key', async () => {
    const restored = await exchangesOf(sealed, second.identity)
    const secrets = new Set([...PASSWORDS, ...issuedIn(restored)])
    // A cookie before and after the login for each user, and tokens.
    expect(secrets.size).toBeGreaterThan(PASSWORDS.length + 4 * USERS.length)
    const bytes = await bytesOf(sealed)
    expect([...secrets].filter((secret) => bytes.includes(secret))).toEqual([])
    const bodies = restored.map(({ request }) => latin1(request.body)).join('\n')
    for (const user of USERS) expect(bodies).toContain(`user=${user}&password=secret+of+${user}&`)
    expect(restored.map(({ session }) => session).join()).not.toContain('mesh-')
  })

  it('is told of by inspect, with how many originals and keys', async () => {
    const { stdout, stderr, code } = await runMesh('inspect', '--verify', sealed)
    expect(stdout).toMatch(/ {2}sealed {5}[1-9]\d+ originals, for 2 age keys \(age does not tell which\)/)
    expect([code, stderr]).toEqual([0, expect.stringContaining('every checksum holds, the ledger balances')])
  })

  it('logs nobody in without the key, and says how that is helped', async () => {
    const shop = await openShop(5_000)
    const directory = folder.path('run masked')
    const words = ['--allow-writes', '--no-breaker', '--on-invalid', 'warn', '-o', directory]
    const { stdout, stderr } = await startReplay([sealed], shop.url, ...words).ended
    expect(stderr).toContain('sealed     1 recording holds what was masked: --unseal KEYFILE sends it')
    expect(stderr).toMatch(/4 logins send masked secrets: a target that checks them lets nobody in/)
    expect(Object.fromEntries(shop.served)).toMatchObject({ 'POST /login 401': USERS.length })
    expect(shop.served.has('POST /login 302')).toBe(false)
    const why = /values were masked in the recording, so the load was not the recorded one: 80 % of the requests/
    expect(stderr).toMatch(new RegExp(`\\nverdict: (?:IN)?VALID; ${why.source}`))
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(why)
    expect(readFileSync(`${directory}/report.html`, 'utf8')).toMatch(why)
    const run = await readRunDirectory(directory)
    expect(run.plan.masked).toEqual({ logins: USERS.length, strangerShare: 0 })
    expect(run.verdict.reasons.map(({ code }) => code)).toContain('masked')
  })

  it.each([
    ['by one thread, once', 1, []],
    ['by two threads, twice, replies checked', 2, ['--workers', '2', '--amplify', '2', '--check', 'body']],
  ])('logs everybody in with it: %s', async (name, times, flags) => {
    const shop = await openShop(5_000)
    const directory = folder.path(`run ${name}`)
    const words = ['--unseal', stranger.path, '--unseal', first.path, '--allow-writes', '-o', directory, ...flags]
    const { stderr, stdout } = await startReplay([sealed], shop.url, ...words).ended
    expect(stderr).toMatch(/unsealed {3}[\d,]+ values of 1 recording as they were received\n/)
    expect(stderr).not.toMatch(/masked/)
    const { totals } = await readRunDirectory(directory)
    expect([totals.replies, totals.mismatches, totals.errors]).toEqual([times * USERS.length * STEPS_OF.cookie, 0, {}])
    expect(shop.failures()).toBe(0)
    const files = readdirSync(directory).map((file) => readFileSync(`${directory}/${file}`, 'latin1'))
    const shown = [stderr, stdout, ...files].join('\n')
    const secrets = [...PASSWORDS, first.identity, ...issuedIn(await exchangesOf(sealed, first.identity))]
    expect(secrets.filter((secret) => shown.includes(secret))).toEqual([])
  })

  it('shows in a response check nothing that its own --mask rules hide', async () => {
    let email = 'ann@recorded.test'
    const server = createServer({ keepAliveTimeout: 0 }, (_, response) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ email, n: 1 })),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const file = folder.path('email.mcap')
    const tap = await startTap(port, file, '--seal', first.recipient, '--mask', 'field:email')
    // One request makes no run: it has no length.
    for (let count = 0; count < 2; count++) {
      await (await fetch(`http://127.0.0.1:${tap.port}/me`, { headers: { connection: 'close' } })).text()
    }
    tap.signal('SIGTERM')
    await tap.ended
    email = 'eve@replayed.test'
    const directory = folder.path('run email')
    const words = ['--check', 'body', '--unseal', first.path, '-o', directory]
    const { stdout, stderr } = await startReplay([file], `http://127.0.0.1:${port}`, ...words).ended
    server.close()
    const { check } = await readRunDirectory(directory)
    expect(check?.bodies?.fields).toMatchObject([{ field: 'body.email' }])
    const files = readdirSync(directory).map((name) => readFileSync(`${directory}/${name}`, 'latin1'))
    expect([stdout, stderr, ...files].join('\n')).not.toMatch(/recorded\.test|replayed\.test/)
  })

  it('is mirrored as it was received with a key, and masked without; the proof shows no secret', async () => {
    const staging = await startHttpTarget((response) =>
      response
        .setHeader('content-type', 'application/json')
        .end('{"token":"of staging","data":{"token":"of staging"}}'),
    )
    const words = ['mirror', sealed, '--to', staging.url, '--allow-writes', '--compare']
    const without = await runMesh(...words)
    expect(without.stderr).toContain('are masked, staging will refuse them; --unseal KEYFILE sends what was masked')
    const sent = [...staging.seen]
    expect(sent.map(({ body }) => latin1(body)).filter((body) => body.includes('secret'))).toEqual([])
    const { code, stdout, stderr } = await runMesh(...words, '--unseal', first.path)
    await staging.close()
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('masked')])
    const unsealed = staging.seen.slice(sent.length)
    const logins = unsealed.map(({ body }) => /&password=([^&]*)/.exec(latin1(body))?.[1]).filter(Boolean)
    expect(logins.length).toBe(USERS.length)
    expect(stdout).toMatch(/, staging \{"token":"mesh-/)
    const secrets = ['of staging', ...PASSWORDS, ...issuedIn(await exchangesOf(sealed, first.identity))]
    expect(secrets.filter((secret) => (stdout + stderr).includes(secret))).toEqual([])
  })

  it('gives up what was learnt of it to inspect, and no more', async () => {
    const learnt = await runMesh('inspect', sealed, '--correlations', '--unseal', first.path)
    expect([learnt.code, learnt.stdout]).toEqual([0, expect.stringMatching(/^\d+ rules: [^]*cookie sid/)])
    const all = await runMesh('inspect', sealed, '--unseal', first.path)
    expect([all.code, all.stderr]).toEqual([2, expect.stringContaining('expected --correlations beside it')])
  })

  it('is exported as it was received with a key', async () => {
    const { stdout } = await runMesh('export', sealed, '--format', 'ndjson', '--unseal', first.path, '-o', '-')
    expect(stdout).toContain('secret+of+ann')
  })

  it('keeps what was sealed until its recorder was killed', async () => {
    const shop = await openShop(17)
    const file = folder.path('killed.mcap')
    const tap = await startTap(shop.port, file, '--seal', first.recipient)
    await shopOnce(tap.port, 'ann')
    await expect.poll(async () => (await exchangesOf(file)).length).toBeGreaterThan(1)
    tap.signal('SIGKILL')
    await tap.ended
    const [masks, restored] = [await exchangesOf(file), await exchangesOf(file, first.identity)]
    expect(latin1(masks[1]?.request.body ?? new Uint8Array(0))).toMatch(/password=mesh-[0-9a-f]{16}&/)
    expect(latin1(restored[1]?.request.body ?? new Uint8Array(0))).toContain('password=secret+of+ann&')
  })
})

describe('mistakes with keys', () => {
  const replay = (file: string, ...flags: string[]): ReturnType<typeof runMesh> =>
    runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--plan', ...flags)

  it.each([
    [
      'the key of others',
      () => [sealed, '--unseal', stranger.path],
      /a key that this recording was sealed for, found another \(\S+sealed\.mcap\)/,
    ],
    [
      'a recording that is not sealed',
      () => [masked, '--unseal', first.path],
      /found only such whose secrets were masked for good/,
    ],
  ])('are told before anything is sent: %s', async (_, words, message) => {
    const [file = '', ...flags] = words()
    const { code, stderr } = await replay(file, ...flags)
    expect(stderr).toMatch(message)
    expect([1, 2]).toContain(code)
    expect(stderr).not.toContain(first.identity)
  })

  it.each([
    ['mesh mirror', ['mirror', '--to', 'http://127.0.0.1:9']],
    ['mesh inspect', ['inspect', '--correlations']],
  ])('are told by %s too, before anything is sent', async (_, words) => {
    const unsealed = (file: string, key: string): ReturnType<typeof runMesh> => runMesh(...words, file, '--unseal', key)
    const locked = await unsealed(sealed, stranger.path)
    expect([locked.code, locked.stderr]).toEqual([1, expect.stringContaining('MESH_ERR_PERMISSION')])
    const open = await unsealed(masked, first.path)
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('whose secrets were masked for good')])
  })

  it('are told of traffic that is not masked', async () => {
    const live = ['mirror', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:9', '--to', 'http://127.0.0.1:9']
    const { code, stderr } = await runMesh(...live, '--unseal', first.path)
    expect([code, stderr]).toEqual([2, expect.stringContaining('what passes now is not masked')])
  })

  it('are told of a recording whose originals were damaged, wherever', async () => {
    const reader = await openRecording(sealed)
    const chunk = reader.parts[0]?.contents.chunks[0]
    await reader.close()
    const bytes = readFileSync(sealed)
    const place = (chunk?.offset ?? 0) + (chunk?.length ?? 0) - 200
    bytes[place] = (bytes[place] ?? 0) ^ 0xff
    const damaged = folder.path('damaged.mcap')
    writeFileSync(damaged, bytes)
    const { code, stderr } = await replay(damaged, '--unseal', first.path)
    expect(stderr).toMatch(/MESH_ERR_FILE_CORRUPT/)
    expect(code).toBe(1)
  })

  it('do not arise from two recordings of different keys where both are given', async () => {
    const other = folder.path('other.mcap')
    await record(other, '--seal', stranger.recipient)
    const files = [sealed, other, '--to', 'http://127.0.0.1:9', '--plan', '--unseal', first.path]
    const one = await runMesh('replay', ...files)
    expect(one.stderr).toMatch(/a key that this recording was sealed for, found another \(\S+other\.mcap\)/)
    const both = await runMesh('replay', ...files, '--unseal', stranger.path)
    expect(both.stdout).toMatch(/unsealed {3}[\d,]+ values of 2 recordings as they were received/)
  })

  it.each([
    ['a secret key', () => ['--seal', first.identity], /found a secret key \(--seal\)/],
    ['a key with a mistake', () => ['--seal', `${first.recipient.slice(0, -1)}q`], /expected a public key of age/],
    [
      '--keep-secrets',
      () => ['--seal', first.recipient, '--keep-secrets'],
      /--seal and --keep-secrets exclude each other/,
    ],
  ])('leave no recording behind: --seal with %s', async (_, flags, message) => {
    const input = folder.path('requests.gor')
    writeFileSync(input, '1 0123456789abcdef 1\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\n🐵🙈🙉\n')
    const file = folder.path('never.mcap')
    const { code, stderr } = await runMesh('capture', 'import', input, '-o', file, ...flags())
    expect(stderr).toMatch(message)
    expect([code, stderr.includes(first.identity)]).toEqual([2, false])
    expect(readdirSync(folder.path('.'))).not.toContain('never.mcap')
  })
})
