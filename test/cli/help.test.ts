import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { exampleText } from '../../src/cli/help-text.ts'
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

/** What `--help` prints. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ getOutHelpWidth: () => 80, writeOut: (part) => (text += part) })
  command.outputHelp()
  return text
}

interface NamedCommand {
  readonly words: readonly string[]
  readonly command: Command
}

/** A command and all that are under it. */
function everyCommand(command: Command, words: readonly string[]): readonly NamedCommand[] {
  const under = command.commands.flatMap((one) => everyCommand(one, [...words, one.name()]))
  return [{ words, command }, ...under]
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

  it('fits into 80 columns, examples and all, and the lists of verbs do', async () => {
    const all = everyCommand(await buildProgram([], () => undefined), [])
    expect(all.map(({ words }) => words.join(' '))).toEqual(
      expect.arrayContaining(['', 'cow', 'report', 'capture tap']),
    )
    for (const { words, command } of all) {
      const help = helpOf(command)
      expect(help).toContain('Examples:\n  mesh ')
      const wide = help.split('\n').filter((line) => line.length > 80)
      expect({ verb: words.join(' '), wide }).toEqual({ verb: words.join(' '), wide: [] })
    }
  })

  it('breaks a long example as a shell reads it: not inside quotes, and not between a flag and its value', () => {
    const gates = "--gate 'error_rate < 1%' --gate 'p99{route=GET /cart} < 250ms'"
    expect(exampleText([`mesh replay host-*.mcap --to http://canary:8080 ${gates} -o run`, 'mesh demo'])).toBe(
      [
        'Examples:',
        "  mesh replay host-*.mcap --to http://canary:8080 --gate 'error_rate < 1%' \\",
        "    --gate 'p99{route=GET /cart} < 250ms' -o run",
        '  mesh demo',
        '',
      ].join('\n'),
    )
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
