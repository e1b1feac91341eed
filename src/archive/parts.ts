import type { Writable } from 'node:stream'
import { MeshError } from '../core/errors.ts'
import { createFileSink, streamSink } from './file-sink.ts'
import type { WritableBytes } from './writable-bytes.ts'

/** When a recording goes on in a new part. */
export interface Rotation {
  /** A part that has this many bytes is followed by another. */
  readonly maxBytes: number
  /** So is one that spans this much recorded time, in nanoseconds. */
  readonly maxSpanNs: number
}

/** One part, however long. */
export const NO_ROTATION: Rotation = { maxBytes: Infinity, maxSpanNs: Infinity }

/** The name of a part's file: `shop.mcap`, `shop.1.mcap`, `shop.2.mcap`, … */
export function partPath(path: string, part: number): string {
  if (part === 0) return path
  const extension = '.mcap'
  const stem = path.endsWith(extension) ? path.slice(0, -extension.length) : path
  return `${stem}.${part}${extension}`
}

/** Names tried for one part where others are taken. */
const MAX_NAME_TRIES = 10_000

/**
 * Parts as files beside each other. The first has the name given, and must be new; a later one takes the next name that is
 * free, so that a recording in flight never stops at a file that an earlier one left.
 */
export function fileParts(path: string): (part: number) => Promise<WritableBytes> {
  return async (part) => {
    for (let suffix = part; ; suffix++) {
      try {
        return await createFileSink(partPath(path, suffix))
      } catch (error) {
        const isTaken = error instanceof MeshError && error.code === 'MESH_ERR_FILE_EXISTS'
        if (part === 0 || !isTaken || suffix - part >= MAX_NAME_TRIES) throw error
      }
    }
  }
}

/** The only part of a recording that goes to a stream. */
export function streamPart(stream: Writable, name: string): (part: number) => Promise<WritableBytes> {
  return (part) => {
    if (part === 0) return Promise.resolve(streamSink(stream, name))
    return Promise.reject(
      new MeshError('MESH_ERR_IO', {
        what: 'expected one part, found a second',
        where: name,
        remedy: 'write to a file',
      }),
    )
  }
}
