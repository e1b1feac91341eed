import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { buildProgram } from '../../src/cli/program.ts'

async function verb(...words: readonly string[]): Promise<Command> {
  let command = await buildProgram(words, () => undefined)
  for (const word of words) {
    const found = command.commands.find((one) => one.name() === word)
    if (found === undefined) throw new Error(`no verb ${word}`)
    command = found
  }
  return command
}

const VERBS: string[][] = [
  ['replay'],
  ['capture', 'tap'],
  ['capture', 'pcap'],
  ['capture', 'live'],
  ['capture', 'import'],
  ['capture', 'gor'],
  ['cow', 'postgres'],
  ['cow', 'status'],
  ['cow', 'diff'],
  ['cow', 'reset'],
  ['cow', 'branch'],
]

/** The headings of a help text and the flags under each. */
function groupsOf(help: string): Record<string, string[]> {
  const groups: Record<string, string[]> = {}
  let heading = ''
  for (const line of help.split('\n')) {
    if (/^[A-Z].*:$/.test(line)) heading = line
    const [, flag] = /^ {2}(?:-\w, )?(--[a-z-]+)/.exec(line) ?? []
    if (flag !== undefined) (groups[heading] ??= []).push(flag)
  }
  return groups
}

describe('the help of a verb', () => {
  it.each(VERBS)(
    'of %s %s has every flag under one heading, and none left over',
    async (...words: readonly string[]) => {
      const command = await verb(...words)
      const groups = groupsOf(command.helpInformation())
      const shown = Object.values(groups).flat()
      expect(shown.toSorted()).toEqual([...command.options.map(({ long }) => long ?? ''), '--help'].toSorted())
      expect(Object.keys(groups)).not.toContain('Options:')
      expect(Object.keys(groups).at(-1)).toBe('Settings:')
    },
  )

  it.each(VERBS)('of %s %s fits into 80 columns', async (...words: readonly string[]) => {
    const command = await verb(...words)
    command.configureOutput({ getOutHelpWidth: () => 80 })
    const lines = command.helpInformation().split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('says what keeps production and the target safe in one place', async () => {
    const groups = groupsOf((await verb('replay')).helpInformation())
    expect(groups['Safety:']).toEqual([
      '--plan',
      '--allow-writes',
      '--max-rate',
      '--max-error-rate',
      '--no-breaker',
      '--yes',
    ])
  })
})
