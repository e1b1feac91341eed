import { parse } from 'yaml'
import { z } from 'zod'
import { MeshError } from '../core/errors.ts'
import type { EnvironmentText } from './environments.ts'
import { nearestName } from '../core/nearest.ts'
import { readText } from './read-text.ts'

const setting = z.union([z.string(), z.number(), z.boolean()])
const section = z.record(z.string(), z.union([setting, z.array(setting)]))

const amount = z.union([z.string(), z.number()])

const comparison = z.strictObject({
  ignore: z
    .array(z.string())
    .optional()
    .describe('Fields that may differ: body.updatedAt, header.location, "GET /orders/:id body.total"; * is anything.'),
  twin: z.string().optional().describe('URL of a second staging: what the two disagree on is noise.'),
})

const compare = z
  .strictObject({
    ignore: z
      .array(z.string())
      .optional()
      .describe(
        'Fields that may differ: body.updatedAt, header.location, "GET /orders/:id body.total"; * is anything.',
      ),
  })
  .describe('How mesh replay --check body compares replies with the recorded ones.')

const environment = z
  .strictObject({
    url: z.string().describe('Where it is: http://host[:port] or https://host[:port].'),
    writes: z.boolean().optional().describe('Send POST, PUT, DELETE and the like too. Default: false.'),
    headers: z
      .record(z.string(), amount)
      .optional()
      .describe('Headers to set on every copy; an empty value removes one.'),
    sample: amount.optional().describe('Share of sessions to mirror, each whole: 10%. Default: 100%.'),
    base: z
      .enum(['live', 'still'])
      .optional()
      .describe("live: its data are production's, which move; still: a dump, or a paused replica. Default: live."),
    compare: z
      .union([z.boolean(), comparison])
      .optional()
      .describe('Compare replies with those of production, and how. Default: false.'),
    timeout: amount.optional().describe('Give a copy up after this. Default: 5s.'),
    data: z
      .array(section)
      .optional()
      .describe('Data proxies that are started with it: settings named as the flags of mesh cow postgres.'),
  })
  .describe('A place that requests can be mirrored to.')

const correlate = z
  .strictObject({
    rules: z
      .array(z.string())
      .optional()
      .describe('Added to what is learnt, and pinned: "POST /login json .token -> * header authorization".'),
    forbid: z
      .array(z.string())
      .optional()
      .describe('Rules that are not to be used; * is anything: "* -> * query page".'),
    times: z
      .array(z.string().regex(/^(?:query|header|cookie|form|json) \S.*$/))
      .optional()
      .describe('Places of times in requests that are moved to the time of the replay: "query ts", "json .sentAt".'),
  })
  .describe('Which values of requests come from earlier replies, beside what is learnt.')

const schema = z.strictObject({
  capture: section.optional(),
  cow: section.optional(),
  inspect: section.optional(),
  export: section.optional(),
  replay: section.optional(),
  mirror: section.optional(),
  report: section.optional(),
  correlate: correlate.optional(),
  compare: compare.optional(),
  rewrite: z
    .array(z.string())
    .optional()
    .describe('Changes to recorded requests before a replay: path s|^/v1/|/v2/|. Those of --rewrite come after them.'),
  routes: z.array(z.string().startsWith('/')).optional(),
  gates: z
    .array(z.string())
    .optional()
    .describe('What has to hold of a replay: p99 < 250ms, error_rate < 1%. In effect where no --gate is given.'),
  environments: z.record(z.string().regex(/^[A-Za-z][\w-]*$/), environment).optional(),
})

/** What `mesh.yaml` says: one section a verb, with the flags' long names as keys; and the routes of the service. */
export interface Config {
  readonly file: string
  readonly sections: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  /** Patterns such as `/users/:id/orders`, for counting by route. */
  readonly routes: readonly string[]
  /** Gates of `mesh replay`, where the command line has none. */
  readonly gates: readonly string[]
  /** Where `mesh mirror` can send copies, by name. */
  readonly environments: Readonly<Record<string, EnvironmentText>>
  /** Changes to requests that are replayed, in their order. */
  readonly rewrite: readonly string[]
  /** How a replay compares replies. */
  readonly compare: { readonly ignore: readonly string[] }
  /** Rules of correlation by the user. */
  readonly correlate: {
    readonly rules: readonly string[]
    readonly forbid: readonly string[]
    readonly times: readonly string[]
  }
}

/**
 * Reads the config file.
 * @throws MeshError MESH_ERR_FILE_NOT_FOUND where a named file is absent; MESH_ERR_USAGE where it is not what it should be.
 */
export function readConfig(file: string): Config {
  const {
    routes,
    gates,
    environments,
    rewrite,
    correlate: correlation,
    compare: comparing,
    ...verbs
  } = check(file, load(file))
  const sections: Record<string, Record<string, readonly string[]>> = {}
  for (const [verb, values] of Object.entries(verbs)) {
    sections[verb] = {}
    for (const [name, value] of Object.entries(values ?? {})) {
      sections[verb][name] = Array.isArray(value) ? value.map(String) : [String(value)]
    }
  }
  const { rules = [], forbid = [], times = [] } = correlation ?? {}
  return {
    file,
    sections,
    routes: routes ?? [],
    gates: gates ?? [],
    rewrite: rewrite ?? [],
    environments: environments ?? {},
    compare: { ignore: comparing?.ignore ?? [] },
    correlate: { rules, forbid, times },
  }
}

function load(file: string): unknown {
  try {
    return parse(readText(file), { logLevel: 'error' }) ?? {}
  } catch (error) {
    // Anything but a file that cannot be read is the content's fault: YAML's own errors, and its bombs.
    if (!(error instanceof MeshError)) {
      const [line = ''] = error instanceof Error ? error.message.split('\n', 1) : []
      const said = line.replace(/:$/, '')
      throw new MeshError('MESH_ERR_USAGE', { what: `not valid YAML: ${said}`, where: file, cause: error })
    }
    throw error
  }
}

/** Settings that stand below a section which is none of a verb's. */
function knownBelow(section: PropertyKey | undefined): readonly string[] {
  if (section === 'environments') return [...Object.keys(environment.shape), ...Object.keys(comparison.shape)]
  return section === 'correlate' ? Object.keys(correlate.shape) : []
}

function check(file: string, content: unknown): z.infer<typeof schema> {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue === undefined || issue.path.length === 0 ? file : `${file}: ${issue.path.join('.')}`
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    if (issue.path.length > 0) {
      const meant = nearestName(key, knownBelow(issue.path[0]))
      const remedy = meant === undefined ? {} : { remedy: `did you mean ${meant}?` }
      throw new MeshError('MESH_ERR_USAGE', { what: `unknown setting "${key}"`, where, ...remedy })
    }
    const known = Object.keys(schema.shape)
    throw new MeshError('MESH_ERR_USAGE', {
      what: `unknown section "${key}"`,
      where,
      remedy: `did you mean ${nearestName(key, known) ?? known.join(', ')}?`,
    })
  }
  throw new MeshError('MESH_ERR_USAGE', { what: issue?.message ?? 'not a valid configuration', where })
}

/** What a config file may hold, as a JSON Schema for editors: `schema/mesh.schema.json`. */
export function configJsonSchema(): object {
  return { title: 'mesh.yaml', ...z.toJSONSchema(schema, { io: 'input' }) }
}
