import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../../shared/captures', import.meta.url))

/** Other projects' captures lie beside the checkout, never in it; where they are absent, their tests are skipped. */
export const CAPTURES_ABSENT = existsSync(FOLDER) ? false : 'the folder of real captures is not beside this checkout'

/** Path of a capture, `zeek/methods.pcap`. */
export function capturePath(name: string): string {
  return `${FOLDER}/${name}`
}
