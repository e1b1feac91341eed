import { MeshError } from '../../src/core/errors.ts'

/** The MeshError that `action` throws; fails where it throws none. */
export function thrownBy(action: () => unknown): MeshError {
  try {
    action()
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('expected a MeshError, nothing was thrown')
}

/** The MeshError that a promise is rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<MeshError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('expected a MeshError, nothing was thrown')
}
