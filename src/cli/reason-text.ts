/** What the counters of passive sources are called on a screen, by their names in the ledger. */
const WORDS: Readonly<Record<string, string>> = {
  'packets.packets': 'packets',
  'packets.packetBytes': 'packet bytes',
  'packets.tcp': 'packets of TCP followed',
  'packets.otherPorts': 'packets of TCP on other ports',
  'packets.notTcp': 'packets that are not TCP',
  'packets.fragments': 'packets that are IP fragments',
  'packets.malformed': 'packets malformed or cut in their headers',
  'packets.unsupportedLink': 'packets of an unsupported link type',
  'packets.fragmentsLost': 'packets that are IP fragments, never made whole',
  'packets.snapped': 'packets captured in part only',
  'streams.connections': 'TCP connections',
  'streams.midStream': 'TCP connections that began before the capture',
  'streams.silent': 'TCP connections never answered or without a byte',
  'streams.idle': 'TCP connections ended because nothing came for long',
  'streams.evicted': 'TCP connections ended because there were too many',
  'streams.forced': 'TCP connections with holes given up because too much waited',
  'streams.deliveredBytes': 'TCP bytes in order',
  'streams.repeatedBytes': 'TCP bytes that came again',
  'streams.missingBytes': 'TCP bytes missing',
  'streams.lateBytes': 'TCP bytes too late, after their gap',
  'streams.outsideBytes': 'TCP bytes outside of their connection',
  'streams.gaps': 'TCP gaps',
  'dropped.kernel-packets': 'packets dropped by the kernel',
  'match.not-evaluated': '--match could not be evaluated',
  'mask.body-withheld': 'bodies left out, because they could not be masked',
  'sealed.values': 'originals of masked values sealed',
  'sealed.too-large': 'messages whose originals were too large to be sealed',
  'responses.late': 'responses later than their requests were written',
  'responses.interim': 'responses of 1xx',
}

/**
 * A reason of a ledger in words: `requests.undecodable.two-lengths` is `requests undecodable, two-lengths`. The ledger keeps the names,
 * which programs read (`--json`).
 */
export function reasonText(reason: string): string {
  const known = Object.hasOwn(WORDS, reason) ? WORDS[reason] : undefined
  if (known !== undefined) return known
  const [unit = '', fate, ...why] = reason.split('.')
  const words = [unit, fate ?? ''].join(' ').trim()
  const plain = words.replaceAll(
    /([a-z])([A-Z])/g,
    (_, before: string, after: string) => `${before} ${after.toLowerCase()}`,
  )
  return why.length === 0 ? plain : `${plain}, ${why.join('.')}`
}
