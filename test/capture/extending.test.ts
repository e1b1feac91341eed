import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { capture } from '../../src/capture/capture.ts'
import { captureBench, ms, shown } from '../support/capture-bench.ts'
import { HexLogSource } from '../support/hex-log-source.ts'

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')
const never = new AbortController().signal

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-hex-log-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function log(...lines: string[]): string {
  const path = join(folder, `${lines.length}.log`)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

describe('the source of docs/extending/source.md', () => {
  it('stands in the page as it is tested here', () => {
    expect(read('docs/extending/source.md')).toContain(`\`\`\`ts\n${read('test/support/hex-log-source.ts')}\`\`\``)
  })

  it('is recorded like any other', async () => {
    const { pipeline, writer, ledger } = captureBench()
    const path = log(`10 0 >${hex('0 get:\n')}`, `12 1 >${hex('0 put:x')}`, `15 0 <${hex('0 ok:hello\n')}`)
    await capture(new HexLogSource(path), pipeline, writer, never)
    expect(writer.exchanges.map(shown)).toEqual(['0 get:| -> 0 ok:|hello', '0 put:|x!end -> (end)'])
    expect(writer.exchanges[0]).toMatchObject({ requestFirstNs: ms(10), response: { firstNs: ms(15) } })
    expect(ledger.total().bytes).toMatchObject({ seen: 25, pending: 0 })
  })

  it('says where a line cannot be read', async () => {
    const { pipeline, writer } = captureBench()
    const path = log('10 0 >30', 'rubbish')
    await expect(capture(new HexLogSource(path), pipeline, writer, never)).rejects.toThrow(
      'expected "<ms> <connection> >hex", found "rubbish"',
    )
  })
})
