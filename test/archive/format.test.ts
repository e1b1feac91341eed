import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openRecording } from '../../src/archive/reader.ts'
import { SCHEMA_TEXT } from '../../src/archive/schema.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import { collect } from '../support/recordings.ts'

function inRepository(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

describe('the specification of the format', () => {
  it('has the schema that recordings carry', async () => {
    expect(await readFile(inRepository('docs/recording-format.md'), 'utf8')).toContain(
      `\`\`\`proto\n${SCHEMA_TEXT}\`\`\``,
    )
  })
})

describe('recordings of earlier versions', () => {
  it('are read as they were written', async () => {
    const reader = await openRecording(inRepository('fixtures/recordings/everything.mcap'))
    expect(await verifyRecording(reader)).toMatchObject({
      ending: 'closed',
      chunks: 4,
      exchanges: 19,
      lateResponses: 1,
      findings: [],
    })
    expect(reader.info).toMatchObject({
      recordingId: 'fixture-everything',
      sample: 0.5,
      originUnixNs: 1_788_256_800_123_456_789n,
    })
    const all = await collect(reader.exchanges())
    expect(all.map(({ id }) => id)).toEqual([1, 19, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 16, 15, 14, 13, 18])
    expect(all.map(({ protocol }) => protocol).slice(2, 7)).toEqual(['http2', 'grpc', 'postgres', 'redis', 'mysql'])
    expect(all.map(({ request }) => request.cut).filter((cut) => cut !== undefined)).toEqual([
      'undecodable',
      'end',
      'close',
      'gap',
      'limit',
    ])
    expect(all.map(({ response }) => response).filter((response) => typeof response === 'string')).toEqual([
      'gap',
      'close',
      'end',
      'undecodable',
      'absent',
    ])
    expect(all[7]).toMatchObject({
      id: 7,
      connection: 1,
      position: 7,
      session: 'user-1',
      secure: true,
      client: { address: '2001:db8::7', port: 40_007 },
      requestFirstNs: 7e6,
      requestLastNs: 7_000_500,
      response: { firstNs: 20e9, lastNs: 20e9 + 1000 },
    })
    expect(Buffer.from(all[18]?.request.trailers ?? []).toString()).toBe('X-Sum: 1\r\n')
    await reader.close()
  })

  it('are read up to where they were cut', async () => {
    const reader = await openRecording(inRepository('fixtures/recordings/everything-cut.mcap'))
    expect(await verifyRecording(reader)).toMatchObject({
      ending: 'cut',
      chunks: 3,
      exchanges: 19,
      lateResponses: 0,
      findings: [],
    })
    await reader.close()
  })
})
