import { MeshError } from '../core/errors.ts'
import type { HeaderField } from '../core/head.ts'
import { parseDurationNs, parseShare } from '../core/units.ts'

/** One of the `environments` of `mesh.yaml`, as it is written. */
export interface EnvironmentText {
  readonly url: string
  readonly writes?: boolean | undefined
  readonly headers?: Readonly<Record<string, string | number>> | undefined
  readonly sample?: string | number | undefined
  readonly base?: 'live' | 'still' | undefined
  readonly compare?: boolean | CompareText | undefined
  readonly timeout?: string | number | undefined
  readonly data?: readonly DataProxyText[] | undefined
}

type Setting = string | number | boolean

/** A data proxy as it is written: settings named as the flags of `mesh cow postgres`. */
export type DataProxyText = Readonly<Record<string, Setting | readonly Setting[]>>

interface CompareText {
  readonly ignore?: readonly string[] | undefined
  readonly twin?: string | undefined
}

/** An environment: where requests are mirrored to, and what it allows. */
export interface Environment {
  /** Its name in `mesh.yaml`, undefined where it was given as a URL. */
  readonly name: string | undefined
  readonly url: string
  readonly writes: boolean
  readonly headers: readonly HeaderField[]
  readonly sample: number | undefined
  readonly base: 'live' | 'still'
  readonly compare: boolean
  readonly ignore: readonly string[]
  readonly twin: string | undefined
  readonly timeoutNs: number | undefined
  /** Data proxies that are started with it. */
  readonly data: readonly DataProxyText[]
}

/**
 * Reads one environment of the file.
 * @throws MeshError MESH_ERR_USAGE or MESH_ERR_UNIT, naming the file and the setting.
 */
export function readEnvironment(name: string, written: EnvironmentText, file: string): Environment {
  const where = (setting: string): string => `${file}: environments.${name}.${setting}`
  const { sample, timeout } = written
  const settings = typeof written.compare === 'object' ? written.compare : undefined
  const timeoutNs = timeout === undefined ? undefined : parseDurationNs(String(timeout), where('timeout'))
  if (timeoutNs === 0) {
    throw new MeshError('MESH_ERR_UNIT', { what: 'expected more than zero, found 0', where: where('timeout') })
  }
  return {
    name,
    url: written.url,
    writes: written.writes ?? false,
    headers: Object.entries(written.headers ?? {}).map(([header, value]) => ({ name: header, value: String(value) })),
    sample: sample === undefined ? undefined : parseShare(String(sample), where('sample')),
    base: written.base ?? 'live',
    compare: settings !== undefined || written.compare === true,
    ignore: settings?.ignore ?? [],
    twin: settings?.twin,
    timeoutNs,
    data: written.data ?? [],
  }
}
