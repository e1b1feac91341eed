import { renameSync, writeFileSync } from 'node:fs'
import { startMesh } from './mesh.ts'
import type { RunningTap } from './taps.ts'
import { tapWords } from './taps.ts'

/** What can become of a recording thread. */
export type RecorderFault = 'exception' | 'heap' | 'hang'

/** A tap whose recording thread can be made to die. */
export interface FaultyTap extends RunningTap {
  /** Lets the thread meet its fate, within some milliseconds. */
  readonly strike: (fault: RecorderFault) => void
}

const PRELOAD = new URL('dying-recorder.js', import.meta.url).href

/** As `startTap`; `faultFile` is a path of which nothing exists yet. */
export async function startFaultyTap(upstreamPort: number, file: string, faultFile: string): Promise<FaultyTap> {
  const mesh = startMesh(tapWords(upstreamPort, file), {
    environment: { NODE_OPTIONS: `--import=${PRELOAD}`, RECORDER_FAULT_FILE: faultFile },
  })
  const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+)/)
  return {
    ...mesh,
    port: Number(port),
    strike: (fault) => {
      writeFileSync(`${faultFile}.new`, fault)
      renameSync(`${faultFile}.new`, faultFile)
    },
  }
}
