import type { Endpoint } from '../../core/segment.ts'
import { HalfStream } from './half-stream.ts'
import type { IpAddress } from './ip-address.ts'
import { formatAddress, sameAddress } from './ip-address.ts'
import type { TcpPacket } from './tcp-packet.ts'

/** One TCP connection that is being followed. */
export class Flow {
  readonly client: IpAddress
  readonly clientPort: number
  readonly server: IpAddress
  readonly serverPort: number
  readonly startNs: number
  readonly hash: number
  readonly request: HalfStream = new HalfStream('request')
  readonly response: HalfStream = new HalfStream('response')
  midStream: boolean
  /** Its ordinal; -1 until it is opened, which its first byte or the server's answer does. */
  connection = -1
  lastNs: number
  /** Both directions are closed; it is remembered for its stragglers. */
  over = false
  /** It is in the reassembler's set of flows that wait for something. */
  stalled = false
  /** Neighbours in the same hash bucket, and in the list by last activity. */
  bucketNext: Flow | undefined
  older: Flow | undefined
  newer: Flow | undefined

  /** `fromClient`: the packet that it is made from was sent by the client. */
  constructor(tcp: TcpPacket, hash: number, fromClient: boolean, midStream: boolean) {
    this.client = { ...(fromClient ? tcp.source : tcp.destination) }
    this.clientPort = fromClient ? tcp.sourcePort : tcp.destinationPort
    this.server = { ...(fromClient ? tcp.destination : tcp.source) }
    this.serverPort = fromClient ? tcp.destinationPort : tcp.sourcePort
    this.hash = hash
    this.midStream = midStream
    this.startNs = tcp.atNs
    this.lastNs = tcp.atNs
  }

  isFromClient(tcp: TcpPacket): boolean {
    return (
      tcp.sourcePort === this.clientPort &&
      tcp.destinationPort === this.serverPort &&
      sameAddress(tcp.source, this.client) &&
      sameAddress(tcp.destination, this.server)
    )
  }

  isFromServer(tcp: TcpPacket): boolean {
    return (
      tcp.sourcePort === this.serverPort &&
      tcp.destinationPort === this.clientPort &&
      sameAddress(tcp.source, this.server) &&
      sameAddress(tcp.destination, this.client)
    )
  }

  get clientEndpoint(): Endpoint {
    return { address: formatAddress(this.client), port: this.clientPort }
  }

  get serverEndpoint(): Endpoint {
    return { address: formatAddress(this.server), port: this.serverPort }
  }

  get heldBytes(): number {
    return this.request.heldBytes + this.response.heldBytes
  }

  get waits(): boolean {
    return this.request.waits || this.response.waits
  }
}
