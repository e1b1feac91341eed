import { chmod } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Gate, openGate } from './gate/gate.ts'
import { answerOverlay } from './overlay/rebuild.ts'
import { servantAccount } from './overlay/account.ts'
import type { ServerOptions } from './server-options.ts'
import { makeStateFolder } from './state-folder.ts'

/** What the gate of a branch's overlay is opened with. */
export interface ProxyGateOptions {
  /** Production, and the role that reads it. */
  readonly upstream: ServerOptions
  /** Where the gate's socket and the audit log are; private to us and the overlay. */
  readonly stateFolder: string
  /** The overlay is a server of ours, which as root runs as another user. */
  readonly isEmbedded: boolean
  readonly trustUpstreamRole: boolean
  readonly poolSize?: number | undefined
  readonly statementTimeoutMs?: number | undefined
}

/** Where every statement that is sent to production is written. */
export function auditFileOf(stateFolder: string): string {
  return join(stateFolder, 'audit.ndjson')
}

/** Opens the gate to production where the overlay's server can reach it. Errors as those of `openGate`. */
export async function openProxyGate(options: ProxyGateOptions, signal: AbortSignal): Promise<Gate> {
  const { upstream, stateFolder, trustUpstreamRole, poolSize, statementTimeoutMs } = options
  const account = options.isEmbedded ? await servantAccount() : undefined
  // The folder above is shared with overlays that run as another user, where we are root: also with one that comes later.
  await makeStateFolder(dirname(stateFolder), process.getuid?.() === 0 ? 0o755 : 0o700)
  await makeStateFolder(stateFolder, account === undefined ? 0o700 : 0o755)
  // A run with a server of the user's own may have made it for itself alone.
  if (account !== undefined) await chmod(stateFolder, 0o755)
  return openGate(
    {
      upstream,
      folder: await gateFolder(stateFolder, account !== undefined),
      auditFile: auditFileOf(stateFolder),
      trustUpstreamRole,
      answer: answerOverlay,
      ...(account === undefined ? {} : { owner: { uid: account.userId, gid: account.groupId } }),
      ...(poolSize === undefined ? {} : { poolSize }),
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
    },
    signal,
  )
}

/** The overlay's server has to get through to the gate's socket, whose own folder lets nobody else in. */
async function gateFolder(stateFolder: string, shared: boolean): Promise<string> {
  const folder = join(stateFolder, 'gate')
  await makeStateFolder(folder, 0o700)
  if (shared) await chmod(folder, 0o711)
  return folder
}
