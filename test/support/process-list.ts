import { readdirSync, readFileSync } from 'node:fs'

/** Command lines of this machine's other processes that have the text in theirs. Linux only. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return command.includes(text) ? [command] : []
    } catch {
      return []
    }
  })
}
