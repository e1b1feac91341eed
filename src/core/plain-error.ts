import { type ErrorCode, MeshError } from './errors.ts'

/** A `MeshError` as it crosses threads: structured cloning keeps an error's message only. */
export interface PlainError {
  readonly code: ErrorCode
  readonly what: string
  readonly where: string | undefined
  readonly remedy: string | undefined
}

export function plainError({ code, what, where, remedy }: MeshError): PlainError {
  return { code, what, where, remedy }
}

export function meshError({ code, what, where, remedy }: PlainError): MeshError {
  return new MeshError(code, {
    what,
    ...(where === undefined ? {} : { where }),
    ...(remedy === undefined ? {} : { remedy }),
  })
}
