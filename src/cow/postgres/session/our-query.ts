import { bind, close, execute, parse, sync } from '../../../wire/postgres/frontend.ts'
import { encodingOf, isAscii } from './client-encoding.ts'
import { IGNORED, RowCollector } from './collectors.ts'
import type { OverlayLink } from './overlay-link.ts'
import type { ReplyCollector } from './reply-queue.ts'

const OURS = 'mesh question'
const UTF8 = encodingOf('UTF8', 'UTF8')

/**
 * Asks the client's backend something of our own that cannot fail and changes nothing. Where the client has sent nothing since its last
 * Sync, no transaction is left open behind it.
 */
export async function askOverlay(link: OverlayLink, text: string): Promise<(string | null)[][]> {
  const rows = new RowCollector()
  const endsHere = link.synced
  run(link, text, rows)
  if (endsHere) link.send(sync(), { kind: 'sync', collector: IGNORED })
  await link.settle()
  return rows.decoded(link.encoding) ?? rows.decoded(UTF8) ?? []
}

/** Runs a statement that does nothing, and belongs to what the client has sent since its last Sync. */
export function runNothing(link: OverlayLink): void {
  run(link, 'SELECT', IGNORED)
}

function run(link: OverlayLink, text: string, collector: ReplyCollector): void {
  link.send(parse({ name: OURS, text, parameterTypes: [] }), { kind: 'parse', collector: IGNORED })
  link.send(bind({ portal: OURS, statement: OURS, formats: [], values: [], resultFormats: [] }), {
    kind: 'bind',
    collector: IGNORED,
  })
  link.send(execute({ portal: OURS, maxRows: 0 }), { kind: 'execute', collector })
  link.send(close({ kind: 'portal', name: OURS }), { kind: 'close', collector: IGNORED })
  link.send(close({ kind: 'statement', name: OURS }), { kind: 'close', collector: IGNORED })
}

/** Makes the link's encoding that of this moment: statements since the last Sync may have changed it. */
export async function learnEncoding(link: OverlayLink): Promise<void> {
  await link.settle()
  if (link.synced || link.failed || link.copying) return
  const [row] = await askOverlay(link, `SELECT pg_catalog.current_setting('client_encoding')`)
  const name = row?.[0] ?? undefined
  if (name !== undefined) link.noteEncoding(name)
}

/**
 * Has a backslash in an ordinary string constant a meaning at this moment? The backend tells of a change when it is ready for more, not
 * before: statements since the last Sync may have made one.
 */
export async function learnEscapes(link: OverlayLink): Promise<boolean> {
  await link.settle()
  if (link.synced || link.failed || link.copying) return link.hasEscapes
  const [row] = await askOverlay(link, `SELECT pg_catalog.current_setting('standard_conforming_strings')`)
  return row?.[0] !== 'on'
}

/** The same as `learnEncoding`, where it matters for a text of ours. */
export async function learnEncodingFor(link: OverlayLink, text: string): Promise<void> {
  if (!isAscii(text)) await learnEncoding(link)
}
