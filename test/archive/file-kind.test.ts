import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { McapRecordBuilder } from '@mcap/core'
import { describe, expect, it } from 'vitest'
import { openRecording } from '../../src/archive/reader.ts'
import { openRecordingStream } from '../../src/archive/stream-reader.ts'
import { rejectionOf } from '../support/errors.ts'
import { withFolder } from '../support/recordings.ts'

/** An MCAP file that another program wrote, without an index. */
function foreignMcap(): Uint8Array {
  const builder = new McapRecordBuilder()
  builder.writeMagic()
  builder.writeHeader({ profile: 'ros2', library: 'robot' })
  builder.writeMetadata({ name: 'robot', metadata: new Map([['arms', '2']]) })
  builder.writeDataEnd({ dataSectionCrc: 0 })
  builder.writeFooter({ summaryStart: 0n, summaryOffsetStart: 0n, summaryCrc: 0 })
  builder.writeMagic()
  return builder.buffer
}

const CASES: readonly [kind: string, bytes: Uint8Array][] = [
  ['an empty file', new Uint8Array(0)],
  ['a pcap capture', Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')],
  ['a pcap capture', Buffer.from('a1b23c4d00020004', 'hex')],
  ['a pcapng capture', Buffer.from('0a0d0d0a1c0000004d3c2b1a', 'hex')],
  ['a gzip file', Buffer.from('1f8b0800000000000003', 'hex')],
  [
    'a GoReplay file',
    Buffer.from('1 932079936fa4306fc308d67588178d17d823647c 1439818823587396305 200\nGET / HTTP/1.1\r\n\r\n'),
  ],
  ['a HAR file', Buffer.from('{"log": {"version": "1.2", "entries": []}}')],
  ['a HAR file', Buffer.from('\u{FEFF}{\n  "log": {}}')],
  ['JSON text', Buffer.from('[1, 2]')],
  ['text', Buffer.from('hello, world\n')],
  ['a program', Buffer.from('\u007FELF\u0002\u0001')],
  ['a file of another kind', Buffer.from([1, 2, 3, 4])],
  ['an MCAP file of another program', foreignMcap()],
]

describe('a file that is no recording', () => {
  for (const [index, [kind, bytes]] of CASES.entries()) {
    it(`is named as what it seems to be: ${kind} (${index})`, async () => {
      await withFolder(async (folder) => {
        const path = join(folder, 'some.mcap')
        await writeFile(path, bytes)
        const error = await rejectionOf(openRecording(path))
        expect(error.code).toBe('MESH_ERR_FILE_KIND')
        expect(error.what).toContain(`found ${kind}`)
        expect(error.where).toMatch(`${path}, offset`)
      })
    })
  }

  it('is named so as a stream too', async () => {
    for (const [kind, bytes] of CASES) {
      const stream = (async function* () {
        yield bytes
      })()
      const error = await rejectionOf(openRecordingStream(stream, 'stdin'))
      expect(error.message).toContain(kind)
      expect(error.message).toContain('stdin')
    }
  })
})
