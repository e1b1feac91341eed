import type { TcpPacket } from './tcp-packet.ts'

/**
 * Which end of a connection is the server, where its SYN was not seen: true where it is the packet's source. A port that the user named
 * is a server's; else the lower one is, because systems give clients ports from 32768 up.
 */
export function serverIsSource(tcp: TcpPacket, ports: ReadonlySet<number>): boolean {
  const sourceNamed = ports.has(tcp.sourcePort)
  if (sourceNamed !== ports.has(tcp.destinationPort)) return sourceNamed
  return tcp.sourcePort < tcp.destinationPort
}
