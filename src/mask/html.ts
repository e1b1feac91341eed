import { decodeEntities, htmlFields } from '../core/html-fields.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/**
 * Masks the values of hidden fields and meta elements whose name says that they hold a secret, such as a CSRF token: the client sends
 * it back in a form or a header, where it is masked too. The rest of the page stays as it is.
 */
export function maskHtml(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  let masked = ''
  let copied = 0
  for (const { name, start, end } of htmlFields(text)) {
    if (start < copied || !rules.field(name)) continue
    // The text is one character a byte; what is named is what the client sends back.
    const value = decodeEntities(Buffer.from(text.slice(start, end), 'latin1').toString('utf8'))
    const pseudonym = pseudonyms.maskValue(value)
    if (pseudonym === value) continue
    masked += text.slice(copied, start) + pseudonym
    copied = end
  }
  return copied === 0 ? text : masked + text.slice(copied)
}
