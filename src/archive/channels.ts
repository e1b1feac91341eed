import type { ProtocolName } from '../core/exchange.ts'
import { PROTOCOL_NAMES } from '../core/exchange.ts'
import type { RecordingInfo } from '../core/recording.ts'
import type { McapChannel } from './mcap.ts'
import { typeDescriptor } from './protobuf.ts'
import { EXCHANGE_TYPE, LATE_RESPONSE_TYPE, LEDGER_TYPE, SEALED_TYPE } from './schema.ts'

/** What a channel carries; the first part of its topic. */
export const CHANNEL_KINDS = ['ledger', 'late-response', 'exchange', 'late', 'sealed'] as const
export type ChannelKind = (typeof CHANNEL_KINDS)[number]

export const LEDGER_CHANNEL = 0
export const LATE_RESPONSE_CHANNEL = 1

const SCHEMA_IDS = { [EXCHANGE_TYPE]: 1, [LATE_RESPONSE_TYPE]: 2, [LEDGER_TYPE]: 3, [SEALED_TYPE]: 4 } as const

/** The schemas of every recording. Shared: not to be written to. */
export const RECORDING_SCHEMAS: readonly { id: number; name: string; encoding: string; data: Uint8Array }[] =
  Object.entries(SCHEMA_IDS).map(([name, id]) => ({ id, name, encoding: 'protobuf', data: typeDescriptor(name) }))

/** The channel of a protocol's exchanges: one per (host, service, protocol), and one more for those that are late. */
export function exchangeChannel(info: RecordingInfo, protocol: ProtocolName, late: boolean): McapChannel {
  const kind = late ? 'late' : 'exchange'
  const id = 2 + 2 * PROTOCOL_NAMES.indexOf(protocol) + (late ? 1 : 0)
  const place = `${topicPart(info.host)}/${topicPart(info.service)}/${protocol}`
  return channel(id, SCHEMA_IDS[EXCHANGE_TYPE], `${kind}/${place}`, {
    host: info.host,
    service: info.service,
    protocol,
  })
}

/** Far from those of exchanges, which grow with the protocols. */
const SEALED_CHANNEL_ID = 1000

/** What masking took; only chunks that have it declare it. */
export const SEALED_CHANNEL: McapChannel = channel(SEALED_CHANNEL_ID, SCHEMA_IDS[SEALED_TYPE], 'sealed', {})

/** The channels that every recording has: they stand before the first chunk. */
export type FixedChannelId = 0 | 1
export const FIXED_CHANNEL_IDS: readonly FixedChannelId[] = [LEDGER_CHANNEL, LATE_RESPONSE_CHANNEL]

export function fixedChannel(id: FixedChannelId): McapChannel {
  return id === LEDGER_CHANNEL
    ? channel(id, SCHEMA_IDS[LEDGER_TYPE], 'ledger', {})
    : channel(id, SCHEMA_IDS[LATE_RESPONSE_TYPE], 'late-response', {})
}

/** What a channel carries, told by its topic; undefined for channels that others have added. */
export function channelKind(topic: string): ChannelKind | undefined {
  const slash = topic.indexOf('/')
  const first = slash < 0 ? topic : topic.slice(0, slash)
  return CHANNEL_KINDS.find((kind) => kind === first)
}

function channel(id: number, schemaId: number, topic: string, metadata: Record<string, string>): McapChannel {
  return { id, schemaId, topic, messageEncoding: 'protobuf', metadata: new Map(Object.entries(metadata)) }
}

/** Percent-encodes what would break a topic into other parts. */
function topicPart(text: string): string {
  return text === '' ? '-' : text.replaceAll(/[%/\s]/g, (character) => encodeURIComponent(character))
}
