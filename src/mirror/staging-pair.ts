import type { CopyRequest } from './copy.ts'
import type { CopyEnd, StagingClient } from './staging-client.ts'

/** Tells how a copy ended at staging, and at its twin where there is one. Called once. */
export type PairDone = (end: CopyEnd, twin: CopyEnd | undefined) => void

/** Sends a copy to staging and, the same, to its twin. */
export class StagingPair {
  readonly #staging: StagingClient
  readonly #twin:
    | { readonly client: StagingClient; readonly fields: (fields: readonly string[]) => readonly string[] }
    | undefined

  /** `twinAuthority` takes the place of Host in what the twin is sent; undefined keeps it. */
  constructor(
    staging: StagingClient,
    twin?: { readonly client: StagingClient; readonly authority: string | undefined },
  ) {
    this.#staging = staging
    this.#twin =
      twin === undefined ? undefined : { client: twin.client, fields: (fields) => withHost(fields, twin.authority) }
  }

  send(request: CopyRequest, done: PairDone): void {
    if (this.#twin === undefined) {
      this.#staging.send(request, (end) => {
        done(end, undefined)
        giveBack(end)
      })
      return
    }
    let first: CopyEnd | undefined
    let second: CopyEnd | undefined
    const both = (): void => {
      if (first === undefined || second === undefined) return
      done(first, second)
      giveBack(first)
      giveBack(second)
    }
    this.#staging.send(request, (end) => {
      first = end
      both()
    })
    const { client, fields } = this.#twin
    client.send({ ...request, fields: fields(request.fields) }, (end) => {
      second = end
      both()
    })
  }

  /** Gives up what flies and closes all connections. */
  close(): void {
    this.#staging.close()
    this.#twin?.client.close()
  }
}

/** The reply has been looked at. */
function giveBack(end: CopyEnd): void {
  if (end.kind === 'answered') end.release()
}

function withHost(fields: readonly string[], authority: string | undefined): readonly string[] {
  if (authority === undefined) return fields
  return fields.map((text, index) =>
    index % 2 === 1 && fields[index - 1]?.toLowerCase() === 'host' ? authority : text,
  )
}
