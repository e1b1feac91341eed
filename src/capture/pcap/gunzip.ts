import type { Gunzip } from 'node:zlib'
import { createGunzip } from 'node:zlib'
import { concatBytes } from '../../core/bytes.ts'
import { MeshError, systemCode } from '../../core/errors.ts'

/**
 * Compressed bytes given to the engine at a time, 16 KiB: one step may then unpack to 16 MiB at the very most (deflate's
 * 1032:1), which bounds what a hostile file can make us hold.
 */
const SLICE_BYTES = 16 * 1024
const OUTPUT_BYTES = 256 * 1024

/**
 * The bytes of a stream, unpacked where it begins with gzip's magic, else as they are. Members that follow one another are
 * unpacked in turn. Where the gzip data is cut or damaged, everything that could be unpacked is yielded first and
 * then `MESH_ERR_FILE_CUT` or `MESH_ERR_FILE_CORRUPT` is thrown. One step is unpacked at a time, when asked for.
 */
export async function* unpacked(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  const rest = { [Symbol.asyncIterator]: () => iterator }
  try {
    let head: Uint8Array = new Uint8Array(0)
    while (head.length < 2) {
      const { done, value } = await iterator.next()
      if (done === true) break
      head = head.length === 0 ? value : concatBytes([head, value])
    }
    if (head[0] === 0x1f && head[1] === 0x8b) {
      yield* gunzipped(head, rest, name)
    } else {
      if (head.length > 0) yield head
      for await (const chunk of rest) yield chunk
    }
  } finally {
    await iterator.return?.()
  }
}

async function* gunzipped(head: Uint8Array, rest: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const engine = createGunzip({ chunkSize: OUTPUT_BYTES })
  const stepper = new Stepper(engine)
  let packedOffset = 0
  try {
    for await (const chunk of prepend(head, rest)) {
      for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
        const slice = chunk.subarray(at, at + SLICE_BYTES)
        await stepper.write(slice)
        yield* stepper.take()
        if (stepper.failure !== undefined) throw gzipError(stepper.failure, `${name}, offset ${packedOffset}`)
        packedOffset += slice.length
      }
    }
    await stepper.end()
    yield* stepper.take()
    if (stepper.failure !== undefined) throw gzipError(stepper.failure, `${name}, offset ${packedOffset}`)
  } finally {
    engine.destroy()
  }
}

/** Drives the engine a slice at a time and collects what comes out: piping would lose what is ready when it fails. */
class Stepper {
  failure: Error | undefined
  readonly #engine: Gunzip
  #output: Uint8Array[] = []
  #settle: (() => void) | undefined

  constructor(engine: Gunzip) {
    this.#engine = engine
    engine.on('data', (bytes: Uint8Array) => this.#output.push(bytes))
    engine.on('error', (error) => {
      this.failure = error
      this.#settle?.()
    })
    engine.on('end', () => this.#settle?.())
  }

  take(): readonly Uint8Array[] {
    const output = this.#output
    this.#output = []
    return output
  }

  async write(slice: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve
      this.#engine.write(slice, () => resolve())
    })
  }

  async end(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve
      this.#engine.end()
    })
  }
}

async function* prepend(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head
  yield* rest
}

function gzipError(failure: Error, where: string): MeshError {
  const cut = 'code' in failure && failure.code === 'Z_BUF_ERROR'
  if (!cut && systemCode(failure) !== undefined) return new MeshError('MESH_ERR_IO', { what: failure.message, where })
  return new MeshError(cut ? 'MESH_ERR_FILE_CUT' : 'MESH_ERR_FILE_CORRUPT', {
    what: cut ? 'expected more gzip data, found its end' : `expected gzip data, found damage: ${failure.message}`,
    where,
    remedy: cut ? 'the file is cut; everything before was read' : 'what came before it was read',
    cause: failure,
  })
}
