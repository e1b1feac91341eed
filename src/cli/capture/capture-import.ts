import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import type { Command } from 'commander'
import type { ExchangeSource } from '../../capture/exchange-source.ts'
import { GorSource } from '../../capture/gor/source.ts'
import { HarSource, MAX_HAR_BYTES } from '../../capture/har/source.ts'
import type { ImportFormat } from '../../capture/import-format.ts'
import { importFormat } from '../../capture/import-format.ts'
import { PrimedExchanges } from '../../capture/primed.ts'
import { utf8 } from '../../core/bytes.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import { createStages } from './recording-stages.ts'
import { recordExchanges } from './source-run.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

/** Enough to tell a format by. */
const HEAD_BYTES = 4096

/** The beginning of what `mesh export --format ndjson` writes. */
const OUR_NDJSON = /^\s*\{"host":"(?:[^"\\]|\\.)*","id":\d+,"unix_ns":"/

/** `mesh capture import`: other tools' recordings. */
export function captureImportCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'import',
      summary: "read another tool's recording (gor, HAR; also .gz), its format found by its content",
      section: 'capture',
      examples: [
        'mesh capture import requests_0.gor -o shop.mcap',
        'mesh capture import requests.gor.gz --host web-1 -o web-1.mcap',
        'mesh capture import browser.har --keep-secrets -o browser.mcap',
      ],
      words: '<file...>',
      flags: CAPTURE_FLAGS,
      groups: CAPTURE_GROUPS,
      run: async ({ flags, words, terminal }) => {
        const source = { description: `import ${words.join(' ')}`, live: false, secure: false }
        const settings = recordSettings({ ...flags, host: flags.host ?? 'import' }, source)
        createStages(settings)
        const primed = await PrimedExchanges.of(await openImport(words, flags.maxBody))
        const run = { settings: { ...settings, originUnixNs: primed.originUnixNs }, durationNs: flags.duration }
        return recordExchanges(primed, run, terminal)
      },
    },
    caller,
  )
}

/** Several gor files are the parts of one recording, in the order of the numbers in their names. */
async function openImport(files: readonly string[], maxBodyBytes: number): Promise<ExchangeSource> {
  const ordered = [...files].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  for (const file of ordered) {
    const { format, packed } = await inspect(file)
    if (format === 'gor') continue
    if (format === 'har' && files.length === 1) return new HarSource(await readWhole(file, packed), file, maxBodyBytes)
    if (format === 'har') {
      throw new MeshError('MESH_ERR_USAGE', { what: 'expected one HAR file, or several gor files', where: file })
    }
    throw new MeshError('MESH_ERR_FILE_KIND', {
      what: `expected a gor or HAR recording, found ${format}`,
      where: file,
      remedy: format === 'a packet capture' ? 'read it with mesh capture pcap' : 'export it as HAR or gor first',
    })
  }
  return new GorSource(concatenated(ordered), maxBodyBytes)
}

async function* concatenated(files: readonly string[]): AsyncIterable<Uint8Array> {
  for (const file of files) {
    const { packed } = await inspect(file)
    for await (const piece of openBytes(file, packed)) {
      if (piece instanceof Uint8Array) yield piece
    }
  }
}

async function inspect(file: string): Promise<{ format: ImportFormat; packed: boolean }> {
  const head = await readHead(file)
  const packed = head[0] === 0x1f && head[1] === 0x8b
  const plain = packed ? await inflatedHead(file) : head
  if (OUR_NDJSON.test(utf8(plain))) {
    throw new MeshError('MESH_ERR_FILE_KIND', {
      what: 'expected a gor or HAR recording, found NDJSON as mesh export writes it, which cannot be imported yet',
      where: file,
      remedy: 'replay the recording itself, or export it as gor or HAR',
    })
  }
  return { format: importFormat(plain), packed }
}

function openBytes(file: string, packed: boolean): AsyncIterable<unknown> {
  const bytes = createReadStream(file)
  return packed ? bytes.pipe(createGunzip()) : bytes
}

async function readHead(file: string): Promise<Uint8Array> {
  try {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw toMeshError(error, file)
  }
}

async function inflatedHead(file: string): Promise<Uint8Array> {
  for await (const piece of openBytes(file, true)) {
    if (piece instanceof Uint8Array) return piece.subarray(0, HEAD_BYTES)
  }
  return new Uint8Array(0)
}

async function readWhole(file: string, packed: boolean): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of openBytes(file, packed)) {
    if (!(piece instanceof Uint8Array)) continue
    length += piece.length
    pieces.push(piece)
    // One that is longer is refused by its reader.
    if (length > MAX_HAR_BYTES) break
  }
  return Buffer.concat(pieces)
}
