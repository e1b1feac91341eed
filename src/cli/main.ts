import { CommanderError } from 'commander'
import { toMeshError } from '../core/errors.ts'
import { visible } from '../core/visible.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { buildProgram } from './program.ts'

/** Runs one command line and resolves to its exit code. Everything that `mesh` does starts here. */
export async function main(words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok
  try {
    const program = await buildProgram(words, (finished) => {
      code = finished
    })
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    const error = toMeshError(thrown)
    process.stderr.write(`mesh: ${visible(error.message)} [${error.code}]\n`)
    if (error.code === 'MESH_ERR_INTERNAL' && thrown instanceof Error) process.stderr.write(`${thrown.stack ?? ''}\n`)
    return exitCodeOf(error.code)
  }
}
