import type pg from 'pg'

/** The parts of the driver's connection that a query of one's own uses. */
interface DriverConnection {
  query(text: string): void
  sync(): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** COPY in either direction as one query of node-postgres: its rows are given, or taken, as text. */
export class CopyQuery implements pg.Submittable {
  readonly #text: string
  readonly #rows: string
  readonly #done: (outcome: { readonly text: string; readonly tag: string } | Error) => void
  #taken = ''
  #tag = ''

  constructor(
    text: string,
    rows: string,
    done: (outcome: { readonly text: string; readonly tag: string } | Error) => void,
  ) {
    this.#text = text
    this.#rows = rows
    this.#done = done
  }

  static run(client: pg.Client, text: string, rows: string): Promise<{ readonly text: string; readonly tag: string }> {
    return new Promise((resolve, reject) => {
      client.query(
        new CopyQuery(text, rows, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))),
      )
    })
  }

  submit(connection: unknown): void {
    ;(connection as DriverConnection).query(this.#text)
  }

  handleCopyInResponse(connection: DriverConnection): void {
    if (this.#rows !== '') connection.sendCopyFromChunk(Buffer.from(this.#rows))
    connection.endCopyFrom()
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#taken += chunk.toString()
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#tag = text
  }

  /** The driver tells a query that failed nothing more. */
  handleError(error: Error): void {
    this.#done(error)
  }

  handleReadyForQuery(): void {
    this.#done({ text: this.#taken, tag: this.#tag })
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
}
