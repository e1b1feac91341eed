import { createHash } from 'node:crypto'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import type { OperatorChange } from './operator.ts'
import type { RunEnvironment, RunPlan, RunRequest, RunStage } from './run.ts'

/** This machine, as far as it matters to numbers. */
export function thisEnvironment(): RunEnvironment {
  const processors = cpus()
  return {
    node: process.versions.node,
    platform: platform(),
    arch: arch(),
    kernel: release(),
    cpuModel: processors[0]?.model.trim() ?? 'unknown',
    cpuCount: processors.length,
    memoryBytes: totalmem(),
  }
}

/**
 * Tells which runs may be compared: sha256 of recordings, plan, what was sent and how, major version and kind of machine, 16 digits of it. The target is not
 * in it: comparing two targets is what a comparison is for.
 */
export function fingerprintOf(
  asked: RunRequest,
  plan: RunPlan,
  version: string,
  environment: RunEnvironment,
  operator: readonly OperatorChange[] = [],
): string {
  const facts = [
    asked.recordings.map(({ recordingId, requests }) => [recordingId, requests]).toSorted(byText),
    [
      plan.loop,
      plan.amplify,
      plan.speed,
      plan.shots,
      plan.durationNs,
      ...(plan.stages?.list ?? []).flatMap(stageFacts),
    ],
    Object.entries(asked.sending ?? {}).toSorted(byText),
    version.split('.', 1),
    [environment.node.split('.', 1), environment.platform, environment.arch],
    [environment.cpuModel, environment.cpuCount],
    ...operator.map(({ atNs, speed }) => [atNs, speed]),
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

function stageFacts({ durationNs, from, to }: RunStage): readonly number[] {
  return [durationNs, from, to]
}

function byText(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}
