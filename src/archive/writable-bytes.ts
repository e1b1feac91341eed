/** Where a recording's bytes go, one call at a time. Errors are `MeshError`s that name the place. */
export interface WritableBytes {
  /** For people: a path, `stdout`. */
  readonly name: string
  /** Appends all of `bytes`, or throws; after a throw, how much was written is unknown. */
  write(bytes: Uint8Array): Promise<void>
  /** Cuts back to `length` bytes, where the place can: a half-written chunk is taken away. */
  truncate?(length: number): Promise<void>
  close(): Promise<void>
  /** Takes the place away, where it can be: a part of which not even the beginning could be written. */
  remove?(): Promise<void>
}
