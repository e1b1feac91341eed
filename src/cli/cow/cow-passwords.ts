import { MeshError } from '../../core/errors.ts'
import { readText } from '../read-text.ts'

/** Any user. */
const ANYBODY = '*'

/** Reads a file of `user:password` lines; `*` is everybody else, `#` begins a comment. @throws MeshError that names file and line. */
export function readPasswords(path: string): (user: string) => string | undefined {
  const passwords = new Map<string, string>()
  for (const [index, line] of readText(path).split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    if (colon <= 0 || colon === line.length - 1) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: 'expected user:password, found another line',
        where: `${path}, line ${index + 1}`,
      })
    }
    passwords.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return (user) => passwords.get(user) ?? passwords.get(ANYBODY)
}
