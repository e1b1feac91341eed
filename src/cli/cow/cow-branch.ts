import type { Command } from 'commander'
import { monotonicNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import { formatBytes, formatCount, formatDurationNs } from '../../core/units.ts'
import { type BranchEntry, createBranch, dropBranch, listBranches } from '../../cow/postgres/branch/branches.ts'
import type { BranchStore } from '../../cow/postgres/branch/branch-store.ts'
import { branchTitle, withBranches } from './cow-branches.ts'
import { BRANCH_FLAGS, branchNameOf } from './cow-flags.ts'
import { EXIT } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import { switchFlag, textFlag } from '../flags.ts'
import type { Terminal } from '../terminal.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  upstream: BRANCH_FLAGS.upstream,
  overlay: BRANCH_FLAGS.overlay,
  state: BRANCH_FLAGS.state,
  from: textFlag('from', '<name>', 'create: the branch to copy (default: the first one)'),
  first: switchFlag('first', 'drop: the first branch, which has no name'),
  json: switchFlag('json', 'list: one JSON document'),
}

/** `mesh cow branch`: makes, lists and drops branches. */
export function cowBranchCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'branch',
      summary: 'create, list and drop branches',
      section: 'cow',
      examples: [
        'mesh cow branch create fix-42 --upstream postgres://reader@db.internal/shop',
        'mesh cow branch list --upstream postgres://reader@db.internal/shop',
        'mesh cow branch drop fix-42 --upstream postgres://reader@db.internal/shop',
      ],
      words: '<create|list|drop> [name]',
      flags: FLAGS,
      groups: { 'Which branches:': ['upstream', 'overlay', 'state', 'from', 'first'], 'Output:': ['json'] },
      run: async ({ flags, words, terminal }) => {
        const work = actionOf(words, flags, terminal)
        return withBranches(flags, async ({ store }) => {
          await work(store)
          return EXIT.ok
        })
      },
    },
    caller,
  )
}

/** Reads the words before anything is started. */
function actionOf(
  [action, name]: readonly string[],
  flags: FlagValues<typeof FLAGS>,
  terminal: Terminal,
): (store: BranchStore) => Promise<void> {
  if (action === 'list' && name === undefined) return (store) => list(store, flags.json, terminal)
  if (action === 'create' && name !== undefined && name !== '') {
    const [made, from] = [branchNameOf(name, 'branch create'), branchNameOf(flags.from, '--from')]
    return (store) => create(store, made, from, terminal)
  }
  if (action === 'drop' && (name !== undefined && name !== '') !== flags.first) {
    return (store) => drop(store, branchNameOf(name, 'branch drop'), terminal)
  }
  throw new MeshError('MESH_ERR_USAGE', {
    what: `expected create NAME, list, drop NAME or drop --first, found "${[action, name].join(' ').trim()}"`,
    where: 'mesh cow branch',
  })
}

async function create(store: BranchStore, name: string, from: string, terminal: Terminal): Promise<void> {
  const startNs = monotonicNs()
  const branch = await createBranch(store, name, from)
  const took = formatDurationNs(monotonicNs() - startNs)
  terminal.out(`made ${branchTitle(name)} from ${branchTitle(from)}: ${formatBytes(branch.sizeBytes)} in ${took}\n`)
}

async function drop(store: BranchStore, name: string, terminal: Terminal): Promise<void> {
  const { sizeBytes } = await dropBranch(store, name)
  terminal.out(`dropped ${branchTitle(name)}: ${formatBytes(sizeBytes)}\n`)
}

async function list(store: BranchStore, json: boolean, terminal: Terminal): Promise<void> {
  const branches = await listBranches(store)
  if (json) terminal.out(`${JSON.stringify({ branches }, undefined, 2)}\n`)
  else for (const branch of branches) terminal.out(`${listLine(branch)}\n`)
}

function listLine({ name, made, from, sizeBytes, clients, proxy }: BranchEntry): string {
  const origin = from === undefined ? '' : `, from ${from === '' ? 'the first one' : from}`
  const served = proxy === undefined ? '' : `, served by process ${proxy}`
  const connected = clients === 0 ? '' : `, ${formatCount(clients)} ${clients === 1 ? 'client' : 'clients'}`
  return `${name === '' ? '(the first one)' : name}  ${formatBytes(sizeBytes)}, made ${made}${origin}${served}${connected}`
}
