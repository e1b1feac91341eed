import pg from 'pg'

/** A client of a proxy or a server, by URL; an end from the other side is no error. */
export async function connectTo(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  await client.connect()
  return client
}
