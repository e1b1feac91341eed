import type { Command } from 'commander'
import { formatCount } from '../../core/units.ts'
import { fullName } from '../../cow/postgres/branch/branch-table.ts'
import { resetBranch, type TableReset } from '../../cow/postgres/branch/reset.ts'
import { branchTitle, withBranches } from './cow-branches.ts'
import { BRANCH_FLAGS } from './cow-flags.ts'
import { EXIT } from '../exit-codes.ts'
import { switchFlag } from '../flags.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  ...BRANCH_FLAGS,
  force: switchFlag('force', 'although clients are connected'),
}

/** `mesh cow reset`: production's rows again. */
export function cowResetCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'reset',
      summary: "give tables of a branch production's rows again",
      section: 'cow',
      examples: [
        'mesh cow reset --upstream postgres://reader@db.internal/shop',
        'mesh cow reset orders order_items --upstream postgres://reader@db.internal/shop --branch fix-42',
      ],
      words: '[table...]',
      flags: FLAGS,
      groups: { 'Which branch:': ['upstream', 'branch', 'overlay', 'state'], 'Safety:': ['force'] },
      run: ({ flags, words, terminal }) =>
        withBranches(flags, async ({ place, store }) => {
          const done = await resetBranch(store, { branch: place.branch, tables: words, force: flags.force })
          for (const each of done) terminal.out(`${resetText(each)}\n`)
          for (const { table, referring } of done) {
            if (referring.length === 0) continue
            terminal.warn(
              `mesh: ${referring.join(', ')} may refer to rows of ${fullName(table)} that are gone: reset ${referring.length === 1 ? 'it' : 'them'} too`,
            )
          }
          if (done.length === 0) terminal.say(`${branchTitle(place.branch)}: these rows were production's already`)
          return done.some(({ kept }) => kept !== undefined) ? EXIT.couldNotRun : EXIT.ok
        }),
    },
    caller,
  )
}

function resetText({ table, rows, attached, kept }: TableReset): string {
  const name = fullName(table)
  if (kept !== undefined) return `${name}: stays as it was, its columns no longer fit production's: ${kept}`
  if (table.kind === 'matview') return `${name}: production's content again`
  const gone = `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'} of the branch gone`
  return `${name}: production's rows again, ${gone}${attached ? ', attached to production again' : ''}`
}
