import { createHash } from 'node:crypto'

/**
 * MD5 authentication (PostgreSQL manual 54.2.1): what is sent is `md5` + md5(md5(password + user) + salt), what a server
 * stores is `md5` + md5(password + user). Weak, and still what old servers ask for.
 */

const STORED = /^md5[0-9a-f]{32}$/

/** What a server stores for this user. */
export function md5Stored(user: string, password: string): string {
  return `md5${md5(Buffer.from(password + user, 'utf8'))}`
}

/** What a client sends. `password` may be what a server stores: then nobody needs the password itself. */
export function md5Response(user: string, password: string, salt: Uint8Array): string {
  const stored = STORED.test(password) ? password : md5Stored(user, password)
  return `md5${md5(Buffer.concat([Buffer.from(stored.slice(3), 'latin1'), salt]))}`
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}
