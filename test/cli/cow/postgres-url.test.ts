import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { parsePostgresUrl } from '../../../src/cli/cow/postgres-url.ts'
import { thrownBy } from '../../support/errors.ts'
import { temporaryFolder } from '../../support/mesh.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

describe('parsePostgresUrl', () => {
  it('takes the authorities to trust from the file that sslrootcert names, or those of Node', () => {
    const file = folder.path('ca.pem')
    writeFileSync(file, 'the authority')
    const url = `postgres://reader@db/shop?sslmode=verify-ca&sslrootcert=`
    expect(parsePostgresUrl(url + file, '--upstream', undefined)).toMatchObject({
      tls: 'verify-ca',
      ca: 'the authority',
    })
    expect(parsePostgresUrl(`${url}system`, '--upstream', undefined)).not.toHaveProperty('ca')
    expect(thrownBy(() => parsePostgresUrl(`${url}/nowhere.pem`, '--upstream', undefined)).message).toContain(
      '/nowhere.pem',
    )
  })

  it('refuses a parameter that it does not know, since it may have been meant to protect', () => {
    const error = thrownBy(() => parsePostgresUrl('postgres://r@db/shop?ssl_mode=verify-full', '--upstream', undefined))
    expect(error.message).toMatch(/sslmode.*found "ssl_mode" \(--upstream\)/)
  })
})
