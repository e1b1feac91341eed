import { latin1 } from '../../src/core/bytes.ts'
import type { Segment } from '../../src/core/segment.ts'

/** Segments as lines that a person can read: `open`, `> GET`, `< gap 5`, `> fin`; `>` is the request's direction. */
export function transcript(segments: readonly Segment[]): string[] {
  return segments.map((segment) => {
    if (segment.kind === 'open') return segment.midStream ? 'open in mid-stream' : 'open'
    const arrow = segment.direction === 'request' ? '>' : '<'
    if (segment.kind === 'data') return `${arrow} ${latin1(segment.bytes)}`
    return segment.kind === 'gap' ? `${arrow} gap ${segment.length}` : `${arrow} ${segment.how}`
  })
}

/** All segments of a source. */
export async function collect(batches: AsyncIterable<readonly Segment[]>): Promise<Segment[]> {
  const segments: Segment[] = []
  for await (const batch of batches) segments.push(...batch)
  return segments
}

/** The bytes of each connection, by its ordinal, gaps as `[n]`. */
export function streams(segments: readonly Segment[]): { request: string; response: string }[] {
  const all: { request: string; response: string }[] = []
  for (const segment of segments) {
    if (segment.kind === 'open') all[segment.connection] = { request: '', response: '' }
    const stream = all[segment.connection]
    if (stream === undefined) throw new Error('expected an open segment first')
    if (segment.kind === 'data') stream[segment.direction] += latin1(segment.bytes)
    if (segment.kind === 'gap') stream[segment.direction] += `[${segment.length}]`
  }
  return all
}
