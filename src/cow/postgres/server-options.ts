/** Where a PostgreSQL server is: TCP, or the folder of its unix socket `.s.PGSQL.<port>`. */
export type ServerAddress =
  | { readonly host: string; readonly port: number }
  | { readonly socketFolder: string; readonly port: number }

/**
 * How much of TLS is asked for, as libpq's sslmode. `prefer` takes what the server offers, `require` insists on encryption (and
 * verifies the chain where `ca` is given), `verify-ca` verifies the chain, `verify-full` the host name too. Unix sockets have none.
 */
export type ServerTls = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** How to reach a PostgreSQL server and who we are there. */
export interface ServerOptions {
  readonly address: ServerAddress
  readonly user: string
  readonly database: string
  /** In clear text: for cleartext, MD5 and SCRAM-SHA-256 authentication. */
  readonly password?: string
  /** Default `prefer`. */
  readonly tls?: ServerTls
  /** PEM certificates to trust in place of Node's own list. */
  readonly ca?: string
  /** Settings of the session from its start: `application_name`, `search_path`, `options`. `client_encoding` is UTF8 unless it is set here. */
  readonly parameters?: Readonly<Record<string, string>>
  /** For connecting with TLS and authentication, and for a cancellation. Default 10 s. */
  readonly connectTimeoutMs?: number
  /** Values of one `query` or `execute`: more is MESH_ERR_LIMIT. Default 64 MiB. */
  readonly maxResultBytes?: number
  /** A longer message comes in pieces in raw mode. Default 16 MiB, see `FramerLimits`. */
  readonly maxHeldBytes?: number
}

/** A server far away answers within this, or not at all. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/** Results that are collected are catalogues and keys; rows for clients are streamed. */
export const DEFAULT_MAX_RESULT_BYTES: number = 64 * 1024 * 1024

/** The address as people write it. */
export function addressText(address: ServerAddress): string {
  return 'host' in address ? `${address.host}:${address.port}` : socketPath(address.socketFolder, address.port)
}

export function socketPath(folder: string, port: number): string {
  return `${folder}/.s.PGSQL.${port}`
}
