import type { Command } from 'commander'
import { COW_FLAGS, proxyOptionsOf } from './cow-flags.ts'
import { runCow } from './cow-run.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

/** `mesh cow postgres`: production's data to read, a branch of its own to write. */
export function cowPostgresCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'postgres',
      summary: 'serve production PostgreSQL copy-on-write: reads go there, writes stay on a branch',
      section: 'cow',
      examples: [
        'mesh cow postgres --upstream postgres://reader@db.internal/shop',
        'mesh cow postgres --upstream postgres://reader@db.internal/shop --branch fix-42 --listen 127.0.0.1:5444',
        'mesh cow postgres --upstream postgres://reader@db.internal/shop --listen :5433 --password-file clients.txt',
      ],
      flags: COW_FLAGS,
      groups: {
        'What is read and written:': ['upstream', 'branch', 'overlay', 'state'],
        'Clients:': ['listen', 'auth', 'passwords', 'certificate', 'key', 'maxClients'],
        'Safety:': ['connections', 'statementTimeout', 'maxCopyUpRows', 'trust'],
        'Output:': ['metrics'],
      },
      run: async ({ flags, terminal }) =>
        runCow(proxyOptionsOf(flags, process.env, process.getuid?.() === 0), flags.metrics, terminal),
    },
    caller,
  )
}
