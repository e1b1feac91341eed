import type { Command } from 'commander'
import { findBranch } from '../../cow/postgres/branch/branches.ts'
import { diffBranch } from '../../cow/postgres/branch/diff.ts'
import { diffSql } from '../../cow/postgres/branch/diff-sql.ts'
import { openCheckGate } from '../../cow/postgres/branch/production-check.ts'
import { RowMask } from '../../cow/postgres/branch/row-mask.ts'
import type { ServerConnection } from '../../cow/postgres/server-connection.ts'
import { MeshError } from '../../core/errors.ts'
import { readMaskKey } from '../capture/capture-flags.ts'
import { branchTitle, withBranches } from './cow-branches.ts'
import { stepJson, stepText } from './cow-diff-text.ts'
import { BRANCH_FLAGS, COW_FLAGS } from './cow-flags.ts'
import { EXIT } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import { listFlag, switchFlag, textFlag } from '../flags.ts'
import type { Terminal } from '../terminal.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  ...BRANCH_FLAGS,
  json: switchFlag('json', 'one JSON object a line'),
  sql: switchFlag('sql', 'statements that would make production so'),
  mask: listFlag('mask', '<rule>', 'mask also field:NAME; or keep:NAME'),
  maskKey: textFlag('mask-key', '<file>', 'key of the pseudonyms, made if absent; as that of recordings'),
  keepSecrets: switchFlag('keep-secrets', 'show passwords, tokens and the like as they are'),
  checkProduction: switchFlag('check-production', 'read the touched rows in production: has it changed them since?'),
  trust: COW_FLAGS.trust,
}

/** `mesh cow diff`: what a branch changed, row by row. */
export function cowDiffCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'diff',
      summary: 'show the rows that a branch inserted, updated and deleted',
      section: 'cow',
      examples: [
        'mesh cow diff --upstream postgres://reader@db.internal/shop',
        'mesh cow diff orders public.users --upstream postgres://reader@db.internal/shop --branch fix-42',
        'mesh cow diff --upstream postgres://reader@db.internal/shop --sql --keep-secrets > apply.sql',
      ],
      words: '[table...]',
      flags: FLAGS,
      groups: {
        'Which branch:': ['upstream', 'branch', 'overlay', 'state'],
        'Secrets:': ['mask', 'maskKey', 'keepSecrets'],
        'Production:': ['checkProduction', 'trust'],
        'Output:': ['json', 'sql'],
      },
      run: ({ flags, words, terminal }) => {
        checkFlags(flags)
        const mask = flags.keepSecrets ? undefined : new RowMask(readMaskKey(flags.maskKey), flags.mask)
        return withBranches(flags, async ({ place, store, signal }) => {
          const { database } = await findBranch(store, place.branch)
          const isEmbedded = place.overlay.kind === 'embedded'
          const options = { ...place, isEmbedded, trustUpstreamRole: flags.trust, poolSize: 2 }
          const gate = flags.checkProduction ? await openCheckGate(store, database, options, signal) : undefined
          try {
            await store.use(database, (admin) => print(admin, words, flags, mask, terminal))
          } finally {
            await gate?.close()
          }
          return EXIT.ok
        })
      },
    },
    caller,
  )
}

function checkFlags({ json, sql, checkProduction }: FlagValues<typeof FLAGS>): void {
  if (!sql || (!json && !checkProduction)) return
  throw new MeshError('MESH_ERR_USAGE', {
    what: `expected --sql alone, found it with ${json ? '--json' : '--check-production'}`,
  })
}

async function print(
  admin: ServerConnection,
  tables: readonly string[],
  flags: FlagValues<typeof FLAGS>,
  mask: RowMask | undefined,
  terminal: Terminal,
): Promise<void> {
  if (flags.sql) {
    for await (const line of diffSql(admin, { tables, mask })) terminal.out(`${line}\n`)
    return
  }
  let differs = false
  for await (const step of diffBranch(admin, { tables, checkProduction: flags.checkProduction })) {
    differs = true
    const shown = step.kind === 'row' && mask !== undefined ? { ...step, row: mask.mask(step.table, step.row) } : step
    terminal.out(`${flags.json ? stepJson(shown, mask) : stepText(shown, mask)}\n`)
  }
  if (!differs) terminal.say(`no row of ${branchTitle(flags.branch ?? '')} differs from production`)
}
