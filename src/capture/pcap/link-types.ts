import { MeshError } from '../../core/errors.ts'

/** The link types that we look into, by their number in capture files (https://www.tcpdump.org/linktypes.html). */
export const LINK_TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'loopback'],
  [1, 'Ethernet'],
  [12, 'raw IP'],
  [14, 'raw IP'],
  [101, 'raw IP'],
  [108, 'OpenBSD loopback'],
  [113, 'Linux cooked'],
  [228, 'raw IPv4'],
  [229, 'raw IPv6'],
  [276, 'Linux cooked v2'],
])

/** The error for a capture whose packets begin with something else. */
export function linkTypeError(linkType: number, where: string): MeshError {
  const supported = [...LINK_TYPES].map(([number, name]) => `${number} ${name}`).join(', ')
  return new MeshError('MESH_ERR_LINK_TYPE', {
    what: `expected a supported link type (${supported}), found ${linkType}`,
    where,
    remedy: 'capture on an interface that carries IP',
  })
}
