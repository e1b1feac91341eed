import { readFileSync } from 'node:fs'
import { packageFile } from './package-file.ts'

/** The version of `mesh`, from its package. */
export const VERSION: string = packageVersion()

function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'))
  if (typeof content !== 'object' || content === null || !('version' in content)) return '0'
  return String(content.version)
}
