import { readFileSync } from 'node:fs'
import { toMeshError } from '../core/errors.ts'

/** The text of a file that a flag names. @throws MeshError that names the file. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw toMeshError(error, path)
  }
}
