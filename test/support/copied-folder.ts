import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Copies with owners and modes. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to])
}

/** Gives a folder the name by which others look for it, unless somebody else was faster: a folder that is there is whole. */
export async function takeWhole(made: string, name: string): Promise<void> {
  await rename(made, name).catch((error: unknown) => {
    if (!existsSync(name)) throw error
  })
}
