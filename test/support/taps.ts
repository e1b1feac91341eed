import type { RunningMesh } from './mesh.ts'
import { startMesh } from './mesh.ts'

/** A running `mesh capture tap`, and where it listens. */
export interface RunningTap extends RunningMesh {
  readonly port: number
}

/** Starts a tap before a service on this machine and waits until it listens. */
export async function startTap(upstreamPort: number, file: string, ...flags: readonly string[]): Promise<RunningTap> {
  const mesh = startMesh([...tapWords(upstreamPort, file), ...flags])
  const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+)/)
  return { ...mesh, port: Number(port) }
}

/** The command line of a tap before a service on this machine. */
export function tapWords(upstreamPort: number, file: string): readonly string[] {
  return ['capture', 'tap', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstreamPort}`, '-o', file]
}
