import type { Reporter } from './reporter.ts'

/** One JSON document, schema `mesh.run/v1`: the same as `run.json`. */
export const jsonReporter: Reporter = {
  write(run, out) {
    out.write(`${JSON.stringify(run, undefined, 1)}\n`)
  },
}
