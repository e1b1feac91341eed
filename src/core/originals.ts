/** A stretch of masked bytes, from `start` to `end`, and what was received in its place: a view, not to be written to. */
export interface Change {
  readonly start: number
  readonly end: number
  readonly original: Uint8Array
}

/** What masking took from one message: the changes of each of its parts, from front to back. */
export interface MessageOriginals {
  readonly head: readonly Change[]
  readonly body: readonly Change[]
  readonly trailers: readonly Change[]
  /** The message is cut only because its body was withheld: with it, it is whole again. */
  readonly wasWhole: boolean
}

/** What masking took from an exchange; undefined for what it left as it was. */
export interface Originals {
  readonly session: string | undefined
  readonly request: MessageOriginals | undefined
  readonly response: MessageOriginals | undefined
}

/** Encrypts for those who may read it. The caller owns the result. */
export type Seal = (plain: Uint8Array) => Uint8Array

/** The inverse. @throws MeshError MESH_ERR_FILE_CORRUPT where it is not what was sealed. */
export type Unseal = (box: Uint8Array) => Uint8Array
