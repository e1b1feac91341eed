import type { MirrorSettings } from '../../src/cli/mirror/mirror-settings.ts'
import { assembleMirror } from '../../src/cli/mirror/mirror-assembly.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Mirror } from '../../src/mirror/mirror.ts'
import { exchange, message, response } from '../support/exchanges.ts'

/** Settings of a mirror to a port of this machine: everything at its default, no comparison. */
export function mirrorSettings(port: number, changes: Partial<MirrorSettings> = {}): MirrorSettings {
  return {
    originUnixNs: 0n,
    target: { url: `http://127.0.0.1:${port}`, insecure: false, ca: undefined },
    twin: undefined,
    headers: [],
    keepHost: false,
    runId: 'run-1',
    allowWrites: false,
    base: 'live',
    compare: false,
    ignore: [],
    ignoreWhere: '--ignore',
    maskRules: [],
    match: '',
    session: '',
    sample: 1,
    timeoutNs: 60e9,
    maxInFlight: 256,
    maxBodyBytes: 4 * 1024 * 1024,
    secure: false,
    routes: [],
    ...changes,
  }
}

/** A mirror to a port of this machine. Its exchanges' clock stands at `nowNs`. */
export function mirrorTo(port: number, changes: Partial<MirrorSettings> = {}, nowNs = 0): Mirror {
  return assembleMirror(mirrorSettings(port, changes), () => nowNs, false).mirror
}

/** A request on a connection of its own, answered by production with 200 and this body. */
export function answered(startLine: string, body: string, changes: Partial<Exchange> = {}): Exchange {
  return exchange({
    request: message([`${startLine} HTTP/1.1`, 'Host: shop.example']),
    response: response(['HTTP/1.1 200 OK', 'Content-Type: application/json'], body),
    ...changes,
  })
}
