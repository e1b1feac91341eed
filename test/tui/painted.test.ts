import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { painted } from '../../src/tui/painted.ts'
import { line, type Line, type Look, type Piece } from '../../src/tui/parts.ts'
import { cellsOf } from './cells.ts'

let ink: Worker

beforeAll(() => {
  ink = new Worker(new URL('ink-lines.js', import.meta.url), {
    env: { ...process.env, FORCE_COLOR: '1', NODE_ENV: 'production', DEV: 'false' },
  })
})
afterAll(async () => {
  await ink.terminate()
})

type Asked = readonly [line: Line, width: number]

/** The cells of each line as Ink draws it. */
async function byInk(asked: readonly Asked[]): Promise<readonly (readonly string[])[]> {
  ink.postMessage(asked.map(([{ pieces }, width]) => ({ pieces, width })))
  const [texts]: string[][] = await once(ink, 'message')
  return (texts ?? []).map(cellsOf)
}

/** The cells of each line as we paint it. */
function byUs(asked: readonly Asked[]): readonly (readonly string[])[] {
  return asked.map(([each, width]) => cellsOf(painted(each, width)?.text ?? 'not painted'))
}

const look: fc.Arbitrary<Look> = fc.record(
  {
    colour: fc.constantFrom('red', 'green', 'yellow', 'blue', 'cyan', 'magenta', 'gray'),
    weight: fc.constantFrom('bold', 'dim'),
    inverse: fc.boolean(),
  },
  { requiredKeys: [] },
)
const text = fc.string({ unit: fc.constantFrom(...'aZ 0/%öµΩж…–▁█░'), maxLength: 12 })
const piece: fc.Arbitrary<Piece> = fc.oneof(text, fc.tuple(text, look))

describe('a painted line', () => {
  it.each([
    ['plain text', line('done          190/s')],
    ['bars of a colour', line('p99  ', '195ms', ' ', ['▁▂▃▄▅▆▇█', { colour: 'red' }])],
    ['shades', line(['from 1.05ms', { weight: 'dim' }], ' ', [' ░▒▓█', { colour: 'cyan' }])],
    ['bold beside dim', line(['RATE', { weight: 'bold' }], ['  requests due', { weight: 'dim' }])],
    ['everything at once', line([' BAD ', { colour: 'red', weight: 'bold', inverse: true }], ' now')],
    ['letters beyond English', line('GET /köln/Ωμέγα/привет …', ['–', { weight: 'bold' }])],
    ['empty pieces', line('', ['', { weight: 'bold' }], 'x', ['', { colour: 'red' }])],
  ])('looks as Ink draws it, whole and cut: %s', async (_, each) => {
    const asked = [80, 12, 5, 3, 2, 1].map((width): Asked => [each, width])
    expect(byUs(asked)).toEqual(await byInk(asked))
  })

  it('looks as Ink draws it, whatever its pieces, looks and width', async () => {
    const asked = fc.tuple(
      fc.array(piece, { maxLength: 6 }).map((pieces) => line(...pieces)),
      fc.integer({ min: 1, max: 50 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 20, maxLength: 40 }), async (many) => {
        expect(byUs(many)).toEqual(await byInk(many))
      }),
      { numRuns: 10 },
    )
  })

  it('is of characters that take a column each, as Ink measures them', async () => {
    const characters = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))
    const plain = characters.filter((character) => painted(line(character), 80) !== undefined && character !== ' ')
    expect(plain.length).toBeGreaterThan(900)
    // One more than fits: what is cut off tells how wide all of the others are.
    const asked = Array.from({ length: Math.ceil(plain.length / 20) }, (_, part): Asked => {
      const some = plain.slice(part * 20, part * 20 + 20)
      return [line(some.join('')), some.length - 1]
    })
    expect(byUs(asked)).toEqual(await byInk(asked))
  })

  it.each(['日本', 'e\u0301', '👩‍👧', 'a\tb', 'a\u001B[2Jb', 'a\nb', '\u200B', '\u00AD', '©\uFE0F', 'ก็'])(
    'is left to Ink where its text has to be measured: %j',
    (other) => {
      expect(painted(line('GET /', [other, { weight: 'bold' }]), 80)).toBeUndefined()
    },
  )

  it('says how many columns it takes', () => {
    expect(painted(line('GET ', ['/', { weight: 'bold' }]), 80)?.columns).toBe(5)
    expect(painted(line('GET /cart'), 6)?.columns).toBe(6)
    expect(painted(line(), 6)).toEqual({ text: '', columns: 0 })
  })
})
