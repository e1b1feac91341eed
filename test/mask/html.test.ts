import { describe, expect, it } from 'vitest'
import { latin1, utf8Bytes } from '../../src/core/bytes.ts'
import { createMasker } from '../../src/mask/masker.ts'
import { message } from '../support/exchanges.ts'

const masker = createMasker(utf8Bytes('a key of some sixteen bytes'))

const page = (html: string): string =>
  latin1(masker.maskMessage(message(['HTTP/1.1 200 OK', 'Content-Type: text/html; charset=utf-8'], html)).body)

/** What a client sends when it submits the field. */
const form = (value: string): string =>
  latin1(
    masker.maskMessage(
      message(
        ['POST / HTTP/1.1', 'Content-Type: application/x-www-form-urlencoded'],
        `csrf_token=${encodeURIComponent(value)}`,
      ),
    ).body,
  ).slice('csrf_token='.length)

describe('a page', () => {
  it.each([
    ['<input type="hidden" name="csrf_token" value="@">', 'a+b/c=='],
    [`<input value='@' type=hidden name=csrf_token>`, 'x"y'],
    ['<meta name="csrf-token" content="@">', 'größer'],
  ])('has the same pseudonym in its hidden field as the form that sends it back: %s', (html, value) => {
    const written = value.replaceAll('"', '&quot;')
    const pseudonym = form(value)
    expect(pseudonym).toMatch(/^mesh-[0-9a-f]{16}$/)
    expect(page(`<b>1</b>${html.replace('@', written)}<i>`)).toBe(`<b>1</b>${html.replace('@', pseudonym)}<i>`)
  })

  it('stays as it is where it has no secret field', () => {
    const html =
      '<input type=hidden name=page value=2><input name="csrf_token" value="shown"><meta name=author content=me>'
    expect(page(html)).toBe(html)
  })
})
