import { parse } from 'yaml'
import { z } from 'zod'
import { MeshError } from '../core/errors.ts'
import { nearestName } from './nearest.ts'
import { readText } from './read-text.ts'

const setting = z.union([z.string(), z.number(), z.boolean()])
const section = z.record(z.string(), z.union([setting, z.array(setting)]))

const schema = z.strictObject({
  capture: section.optional(),
  inspect: section.optional(),
  export: section.optional(),
  replay: section.optional(),
  report: section.optional(),
  routes: z.array(z.string().startsWith('/')).optional(),
})

/** What `mesh.yaml` says: one section a verb, with the flags' long names as keys; and the routes of the service. */
export interface Config {
  readonly file: string
  readonly sections: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  /** Patterns such as `/users/:id/orders`, for counting by route. */
  readonly routes: readonly string[]
}

/**
 * Reads the config file.
 * @throws MeshError MESH_ERR_FILE_NOT_FOUND where a named file is absent; MESH_ERR_USAGE where it is not what it should be.
 */
export function readConfig(file: string): Config {
  const { routes, ...verbs } = check(file, load(file))
  const sections: Record<string, Record<string, readonly string[]>> = {}
  for (const [verb, values] of Object.entries(verbs)) {
    sections[verb] = {}
    for (const [name, value] of Object.entries(values ?? {})) {
      sections[verb][name] = Array.isArray(value) ? value.map(String) : [String(value)]
    }
  }
  return { file, sections, routes: routes ?? [] }
}

function load(file: string): unknown {
  try {
    return parse(readText(file), { logLevel: 'error' }) ?? {}
  } catch (error) {
    // Anything but a file that cannot be read is the content's fault: YAML's own errors, and its bombs.
    if (!(error instanceof MeshError)) {
      const said = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : ''
      throw new MeshError('MESH_ERR_USAGE', { what: `not valid YAML: ${said}`, where: file, cause: error })
    }
    throw error
  }
}

function check(file: string, content: unknown): z.infer<typeof schema> {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue === undefined || issue.path.length === 0 ? file : `${file}: ${issue.path.join('.')}`
  if (issue?.code === 'unrecognized_keys') {
    const [section = ''] = issue.keys
    const known = Object.keys(schema.shape)
    throw new MeshError('MESH_ERR_USAGE', {
      what: `unknown section "${section}"`,
      where,
      remedy: `did you mean ${nearestName(section, known) ?? known.join(', ')}?`,
    })
  }
  throw new MeshError('MESH_ERR_USAGE', { what: issue?.message ?? 'not a valid configuration', where })
}
