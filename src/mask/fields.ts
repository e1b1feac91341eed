import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/**
 * Masks secret values in `a=1&b=2`: a query or a form body. Only the values change; order, other pairs and separators stay. A
 * value is decoded before it is named, so that one secret has one pseudonym however it was written.
 */
export function maskPairs(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (!text.includes('=')) return text
  return text.replaceAll(/([^&;=?#\s]+)=([^&;#\s]*)/g, (pair, name: string, value: string) => {
    if (value === '' || !rules.field(decode(name))) return pair
    return `${name}=${pseudonyms.maskValue(decode(value))}`
  })
}

/** Masks the query of a URL or of a request target, and a password in its user info. The rest stays as it is. */
export function maskUrl(url: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const safe = url.replace(
    /^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#@:]*):([^/?#@]*)@/,
    (_, before: string, password: string) => {
      return `${before}:${pseudonyms.maskValue(decode(password))}@`
    },
  )
  const mark = safe.search(/[?#]/)
  return mark < 0 ? safe : safe.slice(0, mark + 1) + maskPairs(safe.slice(mark + 1), rules, pseudonyms)
}

/** Masks secret fields of a multipart/form-data body (RFC 7578), given as one character a byte. */
export function maskMultipart(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const part =
    /(content-disposition:[^\r\n]*?\bname="([^"\r\n]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)([\s\S]*?)(?=\r\n--|$)/gi
  return text.replaceAll(part, (whole, before: string, name: string, value: string) => {
    if (value === '' || /\bfilename="/i.test(before) || !rules.field(name)) return whole
    return before + pseudonyms.maskValue(value)
  })
}

/** Percent-decoded, `+` as a space; as it is where it is not valid. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
