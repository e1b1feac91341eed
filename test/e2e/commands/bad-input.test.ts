import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { readRecording, requestWords } from '../../support/recorded.ts'
import { recordSessions } from '../../support/session-recordings.ts'

const folder = temporaryFolder()
const RECORDING = folder.path('shop.mcap')
const TEXT = folder.path('notes.txt')
const EMPTY = folder.path('empty')

/** A target that is never asked: everything here fails before. */
const NOWHERE = 'http://127.0.0.1:9'

let outputs = 0
/** A name that nothing was written to yet. */
const output = (): string => folder.path(`output-${outputs++}.mcap`)
const fixture = (name: string): string => fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url))

/** It is one line on stderr that ends with the code, nothing is on stdout, and the process ends with this exit code. */
async function expectRefusal(exit: number, line: RegExp, ...words: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runMesh(...words)
  expect(stderr).toMatch(/^mesh: [^\n]+ \[MESH_ERR_[A-Z_]+\]\n$/)
  expect(stderr).toMatch(line)
  expect(stdout).toBe('')
  expect(code).toBe(exit)
}

beforeAll(async () => {
  await recordSessions(RECORDING, { host: 'shop', users: 5, steps: 10, gapMs: 20 })
  writeFileSync(TEXT, 'not what anybody expects\n')
  writeFileSync(EMPTY, '')
})

afterAll(() => folder.remove())

describe('a packet capture that is not whole', () => {
  it('is read up to where it was cut; file and offset are said, exit 1', async () => {
    const file = output()
    const { code, stderr } = await runMesh('capture', 'pcap', fixture('pcap/shop-cut.pcap'), '-o', file)
    expect(stderr).toMatch(/mesh: .*found it inside a packet.*\(.*shop-cut\.pcap, offset \d+\).*\[MESH_ERR_FILE_CUT\]/)
    expect(stderr).toContain('what came before it is recorded')
    expect(code).toBe(1)
    const { exchanges, imbalance } = await readRecording(file)
    expect(exchanges.map(requestWords)).toContain('GET /items?page=1')
    expect(imbalance).toEqual(new Map())
  })

  it('is told the same way when it comes through stdin', async () => {
    const file = output()
    const input = readFileSync(fixture('pcap/shop-cut.pcap'))
    const { code, stderr } = await startMesh(['capture', 'pcap', '-', '-o', file], { input }).ended
    expect(stderr).toMatch(/\(stdin, offset \d+\).*\[MESH_ERR_FILE_CUT\]/)
    expect(code).toBe(1)
    expect((await readRecording(file)).exchanges.map(requestWords)).toContain('GET /items?page=1')
  })

  it('is refused where its link type is unknown, and leaves no recording behind', async () => {
    const file = output()
    const line = /expected a supported link type .*found 127 \(.*, offset 20\).*\[MESH_ERR_LINK_TYPE\]/
    await expectRefusal(1, line, 'capture', 'pcap', fixture('pcap/shop-link-127.pcap'), '-o', file)
    expect(existsSync(file)).toBe(false)
  })
})

describe('a recording that was cut', () => {
  it('is read up to the last whole chunk by inspect, which says so, wherever it was cut', async () => {
    const bytes = readFileSync(RECORDING)
    for (const share of [0.4, 0.7, 0.999]) {
      const cut = output()
      writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * share)))
      const { code, stdout, stderr } = await runMesh('inspect', '--verify', cut)
      expect(stdout).toContain('CUT: its end is missing')
      expect(stderr).toContain('the ledger balances')
      expect(code).toBe(0)
    }
  })

  it('is refused with its size where nothing of it is left', async () => {
    const cut = output()
    writeFileSync(cut, readFileSync(RECORDING).subarray(0, 40))
    await expectRefusal(1, /only the first \d+ bytes of one .*\[MESH_ERR_FILE_CUT\]/, 'inspect', cut)
  })

  it('fails --verify with exit 3 where a byte in it was changed', async () => {
    for (const share of [0.3, 0.5]) {
      const bytes = readFileSync(RECORDING)
      const place = Math.floor(bytes.length * share)
      bytes[place] = (bytes[place] ?? 0) ^ 0xff
      const damaged = output()
      writeFileSync(damaged, bytes)
      const { code, stderr } = await runMesh('inspect', '--verify', damaged)
      expect(stderr).toMatch(/^mesh: shop: \w+: .* \(.*output-\d+\.mcap/)
      expect(code).toBe(3)
    }
  })

  it('passes --verify as far as it goes, and that it is cut is said first', async () => {
    const cut = output()
    writeFileSync(cut, readFileSync(RECORDING).subarray(0, -20))
    const { code, stderr } = await runMesh('inspect', '--verify', cut)
    expect(stderr).toMatch(
      /^shop: CUT: its end is missing, and its last \d+ B are no whole chunk; in what is whole every checksum holds, the ledger balances \(\d+ exchanges in \d+ chunks? of 1 part\)$/m,
    )
    expect(stderr).not.toContain('verified')
    expect(code).toBe(0)
  })

  it('is replayed as far as it goes, with a warning', async () => {
    const cut = output()
    writeFileSync(cut, readFileSync(RECORDING).subarray(0, -20))
    const { code, stdout, stderr } = await runMesh('replay', cut, '--to', NOWHERE, '--plan')
    expect(stderr).toContain('is CUT: its end is missing')
    expect(stdout).toMatch(/sends +50 requests/)
    expect(code).toBe(0)
  })
})

describe('a file of another kind', () => {
  it.each([
    ['inspect', ['inspect']],
    ['replay', ['replay', '--to', NOWHERE]],
    ['export', ['export', '--format', 'har', '-o', '-']],
  ])('is refused by %s, with what was found', async (_, words) => {
    const kind = /expected a recording \(\.mcap\), found text \(.*notes\.txt, offset 0\).*\[MESH_ERR_FILE_KIND\]/
    await expectRefusal(1, kind, ...words, TEXT)
  })

  it('is named for what it is: empty, a packet capture, not there', async () => {
    await expectRefusal(1, /found an empty file.*\[MESH_ERR_FILE_KIND\]/, 'inspect', EMPTY)
    await expectRefusal(1, /found a .*pcap.*\[MESH_ERR_FILE_KIND\]/, 'inspect', fixture('pcap/shop.pcap'))
    await expectRefusal(
      1,
      /no such file .*gone\.mcap.*\[MESH_ERR_FILE_NOT_FOUND\]/,
      'inspect',
      folder.path('gone.mcap'),
    )
  })

  it('is refused by the ways to capture, which leave no recording behind', async () => {
    const file = output()
    await expectRefusal(1, /expected a pcap or pcapng file, found/, 'capture', 'pcap', TEXT, '-o', file)
    await expectRefusal(1, /expected a pcap or pcapng file, found/, 'capture', 'pcap', EMPTY, '-o', file)
    await expectRefusal(1, /expected a gor or HAR recording, found/, 'capture', 'import', TEXT, '-o', file)
    await expectRefusal(1, /packet capture.*capture pcap/, 'capture', 'import', fixture('pcap/shop.pcap'), '-o', file)
    expect(existsSync(file)).toBe(false)
  })

  it('is refused by report: a folder that is no run, and a run that is none', async () => {
    const run = folder.path('no-run')
    mkdirSync(run)
    await expectRefusal(1, /expected the directory of a run .*found no run\.json/, 'report', run)
    writeFileSync(`${run}/run.json`, '{"schema":"mesh.run/v9"}')
    await expectRefusal(1, /found mesh\.run\/v9.*newer mesh/, 'report', run)
    writeFileSync(`${run}/run.json`, '{"schema":"mesh.run/v1",')
    await expectRefusal(1, /ends early or is damaged.*run\.json.*MESH_ERR_FILE_CORRUPT/, 'report', run)
  })
})

describe('a mistake on the command line ends with exit 2, before anything is opened', () => {
  const file = folder.path('never-made.mcap')
  const tap = ['capture', 'tap', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:9', '-o', file]
  const replay = ['replay', RECORDING, '--to', NOWHERE]

  it.each<readonly [why: string, words: readonly string[], line: RegExp]>([
    ['a broken expression', [...tap, '--match', 'request.method =='], /not a valid expression at column \d+.*--match/],
    ['an unknown attribute', [...tap, '--match', 'request.colour == 1'], /colour.*\(--match\).*MESH_ERR_EXPRESSION/],
    [
      'a duration',
      [...tap, '--duration', '5 bananas'],
      /expected a duration such as .*found "5 bananas" \(--duration\)/,
    ],
    ['a size', [...tap, '--max-body', '1XB'], /expected a size such as .*found "1XB" \(--max-body\)/],
    ['a ring that no memory is for', [...tap, '--ring', '2GiB'], /at most 1\.00 GiB, found 2\.00 GiB \(--ring\)/],
    ['a rule of masking', [...tap, '--mask', 'colour:red'], /\(--mask\)|colour:red/],
    ['an address', ['capture', 'tap', '--listen', '99999', '--upstream', ':9', '-o', file], /expected \[host:\]port/],
    ['a multiplier', [...replay, '--amplify', '3q'], /expected a multiplier such as .*found "3q" \(--amplify\)/],
    ['two paces', [...replay, '--rate', '5/s', '--speed', '2x'], /--speed and --rate exclude each other/],
    ['a time of day', [...replay, '--between', 'noon'], /expected two times such as .*found "noon" \(--between\)/],
    ['a header that framing decides', [...replay, '-H', 'Content-Length: 5'], /Content-Length/],
    ['a URL', ['replay', RECORDING, '--to', 'ftp://canary'], /expected http:\/\/.*found "ftp:\/\/canary" \(--to\)/],
    ['no target', ['replay', RECORDING], /--to is missing: for example --to/],
    ['a format', ['export', RECORDING, '--format', 'xml', '-o', '-'], /expected gor, har, .*found "xml" \(--format\)/],
  ])('%s', async (_, words, line) => {
    const { code, stderr } = await runMesh(...words)
    expect(stderr).toMatch(line)
    expect(stderr).toMatch(/\[MESH_ERR_[A-Z_]+\]\n$/)
    expect(code).toBe(2)
    expect(existsSync(file)).toBe(false)
  })

  it.each<readonly [why: string, words: readonly string[], line: RegExp]>([
    [
      'an unknown flag, with the one that was meant',
      ['inspect', RECORDING, '--verfy'],
      /unknown option '--verfy'.*--verify.*\[MESH_ERR_USAGE\]\n$/,
    ],
    ['an unknown verb, with the one that was meant', ['inspekt', RECORDING], /unknown command 'inspekt'[^]*inspect/],
    ['an unknown way to capture', ['capture', 'tab'], /unknown command 'tab'[^]*tap/],
    ['a missing file name', ['inspect'], /missing required argument 'file'/],
  ])('%s', async (_, words, line) => {
    const { code, stderr } = await runMesh(...words)
    expect(stderr).toMatch(line)
    expect(code).toBe(2)
  })
})

describe('a mistake in the settings', () => {
  /** Runs in a folder with this mesh.yaml. */
  async function runWith(yaml: string, words: readonly string[]): Promise<{ code: number | null; stderr: string }> {
    const cwd = folder.path(`settings-${outputs++}`)
    mkdirSync(cwd)
    writeFileSync(`${cwd}/mesh.yaml`, yaml)
    return startMesh(words, { cwd }).ended
  }
  const plan = ['replay', RECORDING, '--to', NOWHERE, '--plan']

  it.each([
    ['a section that no verb has', 'replai: {amplify: 2}', /"replai" \(mesh\.yaml\)/],
    [
      'a setting that the verb does not have',
      'replay: {speedo: 2x}',
      /unknown setting "speedo" \(mesh\.yaml: replay\): did you mean speed\?/,
    ],
    [
      'a setting that no environment has',
      'environments: {staging: {url: "http://127.0.0.1:1", compair: true}}',
      /unknown setting "compair" \(mesh\.yaml: environments\.staging\): did you mean compare\?/,
    ],
    ['a value of the wrong unit', 'replay: {amplify: lots}', /found "lots" \(mesh\.yaml: amplify\)/],
    ['text that is no YAML', 'replay: {amplify: 2', /not valid YAML: .*\(mesh\.yaml\)/],
  ])('is named with its place: %s', async (_, yaml, line) => {
    const { code, stderr } = await runWith(yaml, plan)
    expect(stderr).toMatch(line)
    expect(code).toBe(2)
  })

  it('is named in the section that all ways of capturing share, which holds what any of them takes', async () => {
    const file = output()
    const words = ['capture', 'pcap', fixture('pcap/shop.pcap'), '-o', file]
    const refused = await runWith('capture: {max-bodi: 1KiB}', words)
    expect(refused.stderr).toMatch(/^mesh: unknown setting "max-bodi" \(mesh\.yaml: capture\): did you mean max-body\?/)
    expect(refused.code).toBe(2)
    expect(existsSync(file)).toBe(false)
    expect((await runWith('capture: {ring: 1MiB, quiet: true}', words)).code).toBe(0)
  })

  it('is a warning where it is a variable that no verb reads', async () => {
    const environment = { MESH_UPSTREM: ':9', MESH_RING: '1MiB', MESH_POD_NAME: 'pod' }
    const { code, stdout, stderr } = await startMesh(plan, { environment }).ended
    expect(stderr).toBe(
      'mesh: MESH_UPSTREM is not a setting of mesh; did you mean MESH_UPSTREAM?\n' +
        'mesh: MESH_POD_NAME is not a setting of mesh\n',
    )
    expect(stdout).toMatch(/sends +50 requests/)
    expect(code).toBe(0)
  })

  it('gives way to the flag, and the variable stands between them', async () => {
    const cwd = folder.path('precedence')
    mkdirSync(cwd)
    writeFileSync(`${cwd}/mesh.yaml`, 'replay: {amplify: 2}')
    const sends = async (words: readonly string[], environment: Readonly<Record<string, string>>): Promise<string> => {
      const { stdout } = await startMesh([...plan, ...words], { cwd, environment }).ended
      return /sends +(\d+) requests/.exec(stdout)?.[1] ?? stdout
    }
    expect(await sends([], {})).toBe('100')
    expect(await sends([], { MESH_AMPLIFY: '3' })).toBe('150')
    expect(await sends(['--amplify', '4'], { MESH_AMPLIFY: '3' })).toBe('200')
  })

  it('is told by the name of the variable where that holds it', async () => {
    const { code, stderr } = await startMesh(plan, { environment: { MESH_AMPLIFY: 'many' } }).ended
    expect(stderr).toMatch(/found "many" \(MESH_AMPLIFY\)/)
    expect(code).toBe(2)
  })
})

/** Places that are looked at beside PATH. */
const TCPDUMP_ELSEWHERE = ['/usr/sbin/tcpdump', '/sbin/tcpdump'].some((path) => existsSync(path))

describe('a file that has no end, or a place that takes none', () => {
  it('is refused where a key or a certificate is read from it', async () => {
    const file = output()
    const words = ['capture', 'pcap', fixture('pcap/shop.pcap'), '-o', file, '--mask-key', '/dev/zero']
    await expectRefusal(1, /at most 64\.0 KiB, found a longer one \(\/dev\/zero\).*\[MESH_ERR_LIMIT\]/, ...words)
    expect(existsSync(file)).toBe(false)
    const plan = ['replay', RECORDING, '--to', 'https://127.0.0.1:9', '-q', '--cacert', '/dev/zero']
    await expectRefusal(1, /at most 4\.00 MiB, found a longer one \(\/dev\/zero\).*\[MESH_ERR_LIMIT\]/, ...plan)
  })
})

describe('a machine that lacks something', () => {
  it.skipIf(TCPDUMP_ELSEWHERE)('is told to install tcpdump where capture live does not find it', async () => {
    const file = output()
    const words = ['capture', 'live', '--interface', 'lo', '--port', '9', '-o', file]
    const { code, stderr } = await startMesh(words, { environment: { PATH: folder.path('nothing') } }).ended
    expect(stderr).toMatch(/^mesh: expected tcpdump, found no such program .*install it.*\[MESH_ERR_TOOL_MISSING\]\n$/)
    expect(code).toBe(1)
    expect(existsSync(file)).toBe(false)
  })

  it('says which folder is not there for a recording', async () => {
    const file = folder.path('no/such/folder/shop.mcap')
    const words = ['capture', 'tap', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:9', '-o', file]
    await expectRefusal(
      1,
      /no such folder to write to \(.*no\/such\/folder\): make it.*\[MESH_ERR_FILE_NOT_FOUND\]/,
      ...words,
    )
  })
})
