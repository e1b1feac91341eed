import type { Flag } from '../flags.ts'
import { countFlag, listFlag, shareFlag, sizeFlag, spanFlag, switchFlag, textFlag, withDefault } from '../flags.ts'
import type { TapFlags } from '../capture/tap-flags.ts'
import { TAP_FLAGS } from '../capture/tap-flags.ts'
import { unsealFlag } from '../unsealing.ts'

/** The flags of `mesh mirror`. */
export type MirrorFlags = TapFlags & {
  readonly to: Flag<string | undefined>
  readonly allowWrites: Flag<boolean>
  readonly compare: Flag<boolean>
  readonly twin: Flag<string | undefined>
  readonly ignore: Flag<readonly string[]>
  readonly match: Flag<string | undefined>
  readonly session: Flag<string | undefined>
  readonly sample: Flag<number | undefined>
  readonly unseal: Flag<readonly string[]>
  readonly header: Flag<readonly string[]>
  readonly keepHost: Flag<boolean>
  readonly insecure: Flag<boolean>
  readonly cacert: Flag<string | undefined>
  readonly timeout: Flag<number | undefined>
  readonly maxInFlight: Flag<number>
  readonly maxBody: Flag<number>
  readonly mask: Flag<readonly string[]>
  readonly duration: Flag<number | undefined>
  readonly json: Flag<boolean>
}

export const MIRROR_FLAGS: MirrorFlags = {
  to: textFlag('to', '<env|url>', 'an environment of mesh.yaml, or http://host:port'),
  ...TAP_FLAGS,
  allowWrites: switchFlag('allow-writes', 'send POST, PUT, DELETE and the like too; an environment says writes: true'),
  compare: switchFlag('compare', "compare replies with production's"),
  twin: textFlag('twin', '<url>', 'a second staging: what the two disagree on is noise'),
  ignore: listFlag('ignore', '<field>', 'let this field differ: body.updatedAt, "GET /orders/:id body.total"'),
  match: textFlag('match', '<cel>', 'mirror only exchanges for which this is true'),
  session: textFlag('session', '<cel>', 'whose request it is (default session cookie, else authorization)'),
  sample: shareFlag('sample', 'share of sessions to mirror, each whole (default 100%)'),
  unseal: unsealFlag('send'),
  header: listFlag(['H', 'header'], '<name: value>', 'set a header on every copy; an empty value removes it'),
  keepHost: switchFlag('keep-host', 'keep the Host header of production'),
  insecure: switchFlag(['k', 'insecure'], 'take any certificate of the target'),
  cacert: textFlag('cacert', '<file>', 'trust this authority there (PEM)'),
  timeout: spanFlag('timeout', 'give a copy up after this, waiting or unanswered (default 5s)'),
  maxInFlight: withDefault(countFlag('max-in-flight', 'copies under way at a time', 1, 10_000), '256'),
  maxBody: withDefault(
    sizeFlag('max-body', 'requests with a longer body are not mirrored, such replies not compared'),
    '4MiB',
  ),
  mask: listFlag('mask', '<rule>', 'mask also header:NAME, cookie:NAME, field:NAME in examples; or keep:NAME'),
  duration: spanFlag(['d', 'duration'], 'stop after this time'),
  json: switchFlag('json', 'print the proof as JSON'),
}
