import { bind, close, execute, parse, sync } from '../../../wire/postgres/frontend.ts'
import { IGNORED, RowCollector } from './collectors.ts'
import type { OverlayLink } from './overlay-link.ts'

const OURS = 'mesh question'

/**
 * Asks the client's backend something of our own that cannot fail and changes nothing. Where the client has sent nothing since its last
 * Sync, no transaction is left open behind it.
 */
export async function askOverlay(link: OverlayLink, text: string): Promise<(string | null)[][]> {
  const rows = new RowCollector()
  const endsHere = link.synced
  link.send(parse({ name: OURS, text, parameterTypes: [] }), { kind: 'parse', collector: IGNORED })
  link.send(bind({ portal: OURS, statement: OURS, formats: [], values: [], resultFormats: [] }), {
    kind: 'bind',
    collector: IGNORED,
  })
  link.send(execute({ portal: OURS, maxRows: 0 }), { kind: 'execute', collector: rows })
  link.send(close({ kind: 'portal', name: OURS }), { kind: 'close', collector: IGNORED })
  link.send(close({ kind: 'statement', name: OURS }), { kind: 'close', collector: IGNORED })
  if (endsHere) link.send(sync(), { kind: 'sync', collector: IGNORED })
  await link.settle()
  return rows.rows
}
