import type { Command } from 'commander'
import { readStatus } from '../../cow/postgres/branch/status.ts'
import { withBranches } from './cow-branches.ts'
import { BRANCH_FLAGS } from './cow-flags.ts'
import { statusJson, statusText } from './cow-status-text.ts'
import { EXIT } from '../exit-codes.ts'
import { switchFlag, textFlag } from '../flags.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  ...BRANCH_FLAGS,
  branch: textFlag('branch', '<name>', 'only this branch'),
  json: switchFlag('json', 'one JSON document'),
}

/** `mesh cow status`: which branches there are, and how far each is from production. */
export function cowStatusCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'status',
      summary: 'show the branches, what differs from production by table, and who serves them',
      section: 'cow',
      examples: [
        'mesh cow status --upstream postgres://reader@db.internal/shop',
        'mesh cow status --upstream postgres://reader@db.internal/shop --json | jq .branches',
      ],
      flags: FLAGS,
      groups: { 'Which branches:': ['upstream', 'branch', 'overlay', 'state'], 'Output:': ['json'] },
      run: ({ flags, terminal }) =>
        withBranches(flags, async ({ place, store }) => {
          const statuses = await readStatus(store, flags.branch === undefined ? undefined : place.branch)
          const facts = { upstream: place.upstream, holder: store.holder }
          terminal.out(flags.json ? statusJson(statuses, facts) : statusText(statuses, facts))
          return EXIT.ok
        }),
    },
    caller,
  )
}
