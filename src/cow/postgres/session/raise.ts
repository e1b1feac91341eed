import { bind, close, execute, parse } from '../../../wire/postgres/frontend.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { Refusal } from '../sql/rewriting.ts'
import { quoteText } from '../overlay/identifiers.ts'
import { IGNORED } from './collectors.ts'
import type { OverlayLink } from './overlay-link.ts'

const RAISE = 'mesh raise'

/**
 * Has the backend itself raise an error of ours, so that its transaction fails as it would by an error of its own, and the
 * client gets it in its place among the replies: as `told`, where that is given.
 */
export function raise(link: OverlayLink, { code, message, hint, position }: Refusal, told?: PgErrorFields): void {
  const using = [`ERRCODE = ${quoteText(code)}`, `MESSAGE = ${quoteText(message)}`]
  if (hint !== undefined && hint !== '') using.push(`HINT = ${quoteText(hint)}`)
  const body = `BEGIN RAISE EXCEPTION USING ${using.join(', ')}; END`
  const text = `DO LANGUAGE plpgsql ${quoteText(body)}`
  const mapError = (fields: PgErrorFields): PgErrorFields =>
    told ?? { ...withoutOrigin(fields), ...(position === undefined ? {} : { position }) }
  // What failed before may have left one behind: prepared statements outlive their transaction.
  link.send(close({ kind: 'statement', name: RAISE }), { kind: 'close', collector: IGNORED })
  link.send(parse({ name: RAISE, text: link.encoding.encode(text), parameterTypes: [] }), {
    kind: 'parse',
    collector: IGNORED,
    mapError,
  })
  link.send(bind({ portal: RAISE, statement: RAISE, formats: [], values: [], resultFormats: [] }), {
    kind: 'bind',
    collector: IGNORED,
    mapError,
  })
  link.send(execute({ portal: RAISE, maxRows: 0 }), { kind: 'execute', collector: IGNORED, mapError })
}

/** That it came out of a DO block is nobody's business. */
function withoutOrigin({ severity, code, message, detail, hint }: PgErrorFields): PgErrorFields {
  return {
    severity,
    code,
    message,
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  }
}
