import { chmodSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRecordings } from '../../src/archive/open.ts'
import { NO_ROTATION } from '../../src/archive/parts.ts'
import { readUnsealing } from '../../src/cli/unsealing.ts'
import { checkRecipients, encryptWithAge, readIdentities } from '../../src/mask/age.ts'
import { createSealingKey } from '../../src/mask/sealing-key.ts'
import { rejectionOf, thrownBy } from '../support/errors.ts'
import { exchange, message } from '../support/exchanges.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { collect, MemoryDisk, recordingInfo, TestRecorder } from '../support/recordings.ts'
import { ageKeys } from '../support/sealed.ts'

const folder = temporaryFolder()
const noWarning = (line: string): void => expect.unreachable(line)
let keys: { identity: string; recipient: string }

beforeAll(async () => {
  keys = await ageKeys()
})

afterAll(() => folder.remove())

function fileOf(name: string, text: string, mode = 0o600): string {
  const path = folder.path(name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('a file of --unseal', () => {
  it('is what age-keygen writes, with several keys too', async () => {
    const other = await ageKeys()
    const file = fileOf('two.key', `# created: today\n# public key: x\n${other.identity}\r\n\n  ${keys.identity}\n`)
    const { encrypted } = await createSealingKey([keys.recipient])
    const info = recordingInfo({ seal: { key: encrypted, recipients: 1, maskRules: [] } })
    expect(await readUnsealing([file], noWarning)?.openSeal(info, 'a.mcap')).toBeTypeOf('function')
    expect(await readUnsealing([file], noWarning)?.openSeal(recordingInfo(), 'a.mcap')).toBeUndefined()
  })

  it('opens nothing that was sealed for others', async () => {
    const { encrypted } = await createSealingKey([(await ageKeys()).recipient])
    const info = recordingInfo({ seal: { key: encrypted, recipients: 1, maskRules: [] } })
    const file = fileOf('one.key', keys.identity)
    const error = await rejectionOf(readUnsealing([file], noWarning)?.openSeal(info, 'a.mcap') ?? Promise.resolve())
    expect(error).toMatchObject({ code: 'MESH_ERR_PERMISSION', where: 'a.mcap' })
  })

  it('is warned about where others may read it', () => {
    const warnings: string[] = []
    const file = fileOf('open.key', keys.identity, 0o640)
    readUnsealing([file], (line) => warnings.push(line))
    expect(warnings).toEqual([`mesh: ${file} holds secret keys, and others may read it: chmod 600 is safer`])
  })

  it.each([
    ['holds something else', 'secret-of-ann\n', 'found something else', 'line 1'],
    ['holds a public key', '# mine\nage1qqqq\n', 'found a public one', 'line 2'],
    ['is empty', '# nothing\n', 'found none', ''],
    ['is encrypted itself', '-----BEGIN AGE ENCRYPTED FILE-----\n', 'found an encrypted file', ''],
  ])('is refused where it %s, and not shown', (_, text, what, line) => {
    const file = fileOf('wrong.key', text)
    const error = thrownBy(() => readUnsealing([file], noWarning))
    expect(error.code).toBe('MESH_ERR_USAGE')
    expect(error.message).toContain(what)
    expect(error.where).toBe(line === '' ? file : `${file}, ${line}`)
    expect(error.message).not.toContain('secret-of-ann')
  })

  it('is refused where it is not there', () => {
    expect(thrownBy(() => readUnsealing([folder.path('none')], noWarning)).code).toBe('MESH_ERR_FILE_NOT_FOUND')
  })

  it('is not the key itself, which is not shown either', () => {
    const error = thrownBy(() => readUnsealing([keys.identity], noWarning))
    expect(error).toMatchObject({ code: 'MESH_ERR_USAGE', where: '--unseal' })
    expect(error.message).not.toContain(keys.identity)
  })

  it('is refused where a key has a mistake in it, and not shown', async () => {
    const wrong = `${keys.identity.slice(0, -1)}${keys.identity.endsWith('Q') ? 'P' : 'Q'}`
    const { encrypted } = await createSealingKey([keys.recipient])
    const info = recordingInfo({ seal: { key: encrypted, recipients: 1, maskRules: [] } })
    const unsealing = readUnsealing([fileOf('typo.key', wrong)], noWarning)
    const error = await rejectionOf(unsealing?.openSeal(info, 'a.mcap') ?? Promise.resolve())
    expect(error).toMatchObject({ code: 'MESH_ERR_USAGE', where: '--unseal' })
    expect(error.message).not.toContain(wrong.slice(20, 40))
  })
})

/** A recording of two parts, a login in each, all of it sealed for one key. */
async function sealedParts(recipient: string): Promise<readonly Uint8Array[]> {
  const { encrypted, seal } = await createSealingKey([recipient])
  const disk = new MemoryDisk()
  const info = recordingInfo({ seal: { key: encrypted, recipients: 1, maskRules: [] } })
  const rotation = { ...NO_ROTATION, maxBytes: 1 }
  const recorder = await TestRecorder.open({ openPart: disk.openPart, seal, info, rotation })
  for (const id of [1, 2]) {
    const body = [{ start: 9, end: 30, original: Buffer.from(`secret ${id}`) }]
    recorder.write({
      ...exchange({
        id,
        requestFirstNs: id,
        request: message(['POST /login HTTP/1.1'], 'password=mesh-0123456789abcdef'),
      }),
      originals: {
        session: undefined,
        request: { head: [], body, trailers: [], wasWhole: false },
        response: undefined,
      },
    })
    recorder.writer.flush()
  }
  await recorder.writer.close()
  return disk.parts
}

describe('parts of one recording that were sealed for different keys', () => {
  it('are restored with all of the keys, and with one of them refused by the name of the part it does not open', async () => {
    const second = await ageKeys()
    const [first, other] = [await sealedParts(keys.recipient), await sealedParts(second.recipient)]
    const files = [folder.path('shop.mcap'), folder.path('shop.1.mcap')]
    for (const [index, path] of files.entries()) writeFileSync(path, [first, other][index]?.[index] ?? '')
    const [mine, theirs] = [fileOf('mine.key', keys.identity), fileOf('theirs.key', second.identity)]
    const nothing = (async function* (): AsyncGenerator<Uint8Array, void, void> {})()
    const openWith = (...keyFiles: readonly string[]): ReturnType<typeof openRecordings> =>
      openRecordings(files, nothing, 'many', readUnsealing(keyFiles, noWarning)?.openSeal)

    const readers = await openWith(theirs, mine)
    const exchanges = await Promise.all(readers.map((reader) => collect(reader.exchanges())))
    await Promise.all(readers.map((reader) => reader.close()))
    const bodies = exchanges.map((list) => list.map(({ request }) => Buffer.from(request.body).toString()))
    expect(bodies).toEqual([['password=secret 1', 'password=secret 2']])

    for (const [keyFile, part] of [
      [mine, files[1]],
      [theirs, files[0]],
    ] as const) {
      expect(await rejectionOf(openWith(keyFile))).toMatchObject({ code: 'MESH_ERR_PERMISSION', where: part })
    }
  })
})

describe('a key of --seal', () => {
  it.each([
    ['an ssh key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5', 'expected a public key of age'],
    ['the key of a hardware token', 'age1tag1qwertyuxx', 'expected a public key of age'],
    ['nothing', '', 'expected a public key of age'],
  ])('is not %s', (_, text, what) => {
    const error = thrownBy(() => checkRecipients([text], '--seal'))
    expect(error).toMatchObject({ code: 'MESH_ERR_USAGE', where: '--seal' })
    expect(error.message).toContain(what)
  })

  it('is not a secret key, which is not shown', () => {
    const error = thrownBy(() => checkRecipients([keys.identity], '--seal'))
    expect(error.message).toContain('found a secret key')
    expect(error.message).not.toContain(keys.identity)
  })

  it('is one of 32 at most', () => {
    expect(() =>
      checkRecipients(
        Array.from({ length: 32 }, () => keys.recipient),
        '--seal',
      ),
    ).not.toThrow()
    const many = Array.from({ length: 33 }, () => keys.recipient)
    expect(thrownBy(() => checkRecipients(many, '--seal')).message).toContain('at most 32 public keys, found 33')
  })

  it('has no mistake in it', async () => {
    const wrong = `${keys.recipient.slice(0, -1)}${keys.recipient.endsWith('q') ? 'p' : 'q'}`
    expect((await rejectionOf(encryptWithAge(new Uint8Array(1), [wrong]))).code).toBe('MESH_ERR_USAGE')
  })

  it('may be post-quantum', async () => {
    const { generateHybridIdentity, identityToRecipient } = await import('age-encryption')
    const identity = await generateHybridIdentity()
    const recipient = await identityToRecipient(identity)
    checkRecipients([recipient], '--seal')
    expect(readIdentities(identity, 'pq.key')).toEqual([identity])
    expect(await encryptWithAge(new Uint8Array(1), [recipient])).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/)
  })
})
