import { readFileSync } from 'node:fs'

/** The version of `mesh`, from its package. */
export const VERSION: string = packageVersion()

function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  if (typeof content !== 'object' || content === null || !('version' in content)) return '0'
  return String(content.version)
}
