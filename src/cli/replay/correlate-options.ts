import { MeshError } from '../../core/errors.ts'
import { RouteTable } from '../../measure/routes.ts'
import type { Correlation } from '../../replay/correlate/correlation.ts'
import type { ReplayInput } from '../../replay/options.ts'
import { surveyRecordings } from '../../replay/survey.ts'
import type { CorrelateOptions } from '../../replay/correlate/rules.ts'
import { parseRule } from '../../replay/correlate/rules.ts'
import type { Config } from '../config.ts'

/** What the settings file says of correlation. @throws MeshError MESH_ERR_USAGE for a rule that is none. */
export function correlateOptionsOf(config: Config | undefined): CorrelateOptions {
  const { rules = [], forbid = [] } = config?.correlate ?? {}
  const file = config?.file ?? ''
  return {
    rules: rules.map((text, index) => parseRule(text, `${file}: correlate.rules[${index}]`)),
    forbidden: forbid,
  }
}

/** What a replay of these recordings would learn, without one. */
export async function learnCorrelation(
  inputs: readonly ReplayInput[],
  correlate: CorrelateOptions,
  patterns: readonly string[],
): Promise<Correlation> {
  const { correlation } = await surveyRecordings(
    inputs,
    {
      between: undefined,
      permissions: { allowWrites: true, keepReplayed: true },
      rewrite: { authority: '', pathPrefix: '', keepHost: true, headers: [], runId: '', close: 'keep' },
      routes: new RouteTable({ patterns }),
      correlate,
    },
    () => false,
    new AbortController().signal,
  )
  if (correlation === undefined) throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected correlation, found none' })
  return correlation
}
