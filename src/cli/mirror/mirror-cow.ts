import { Command } from 'commander'
import { monotonicNs } from '../../core/clock.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { type PostgresProxy, startPostgresProxy } from '../../cow/postgres/proxy.ts'
import type { DataProxy, DataProxyStarter } from '../../mirror/data-proxy.ts'
import { COW_FLAGS, proxyOptionsOf } from '../cow/cow-flags.ts'
import { sayCowStart, statementsSent, statisticsText } from '../cow/cow-run.ts'
import type { DataProxyText, Environment } from '../environments.ts'
import { readFlags } from '../flags.ts'
import { postgresPlace } from '../cow/postgres-url.ts'
import type { Terminal } from '../terminal.ts'

/** The data proxies that an environment lists. @throws MeshError MESH_ERR_USAGE for a setting that `mesh cow postgres` has not. */
export function dataProxiesOf({ data, name }: Environment, file: string, terminal: Terminal): DataProxyStarter {
  const listed = data.map((written, index) => {
    const where = `${file}: environments.${name ?? ''}.data[${index}]`
    try {
      const values = settingsIn(written)
      const flags = readFlags(new Command(), COW_FLAGS, {}, { file: where, values })
      return { where, options: proxyOptionsOf(flags, process.env, process.getuid?.() === 0) }
    } catch (thrown) {
      throw inPlace(thrown, where)
    }
  })
  return {
    start: async (signal) => {
      const started: PostgresDataProxy[] = []
      try {
        for (const { where, options } of listed) {
          const startNs = monotonicNs()
          const proxy = await startPostgresProxy(options, signal).catch((thrown: unknown) => {
            throw inPlace(thrown, where)
          })
          started.push(new PostgresDataProxy(proxy, `postgres ${postgresPlace(options.upstream)}`, terminal))
          sayCowStart(proxy, options, monotonicNs() - startNs, terminal)
        }
        return started
      } catch (thrown) {
        await Promise.allSettled(started.map((proxy) => proxy.close()))
        throw thrown
      }
    },
  }
}

/** An error with the place in the file of environments that it comes from. */
function inPlace(thrown: unknown, place: string): MeshError {
  const { code, what, where, remedy } = toMeshError(thrown)
  if (where?.startsWith(place) === true) return toMeshError(thrown)
  return new MeshError(code, {
    what,
    where: where === undefined ? place : `${place}: ${where}`,
    ...(remedy === undefined ? {} : { remedy }),
    cause: thrown,
  })
}

function settingsIn(written: DataProxyText): Readonly<Record<string, readonly string[]>> {
  const known = new Set(Object.values(COW_FLAGS).map(({ name }) => name))
  const unknown = Object.keys(written).find((name) => !known.has(name))
  if (unknown !== undefined) {
    const remedy = 'settings are named as the flags of mesh cow postgres --help'
    throw new MeshError('MESH_ERR_USAGE', { what: `unknown setting "${unknown}"`, remedy })
  }
  return Object.fromEntries(
    Object.entries(written).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).map(String)]),
  )
}

/** A copy-on-write PostgreSQL between staging and production's data. */
class PostgresDataProxy implements DataProxy {
  readonly name: string
  readonly #proxy: PostgresProxy
  #lost: string | undefined

  constructor(proxy: PostgresProxy, name: string, terminal: Terminal) {
    this.#proxy = proxy
    this.name = name
    void proxy.failed.then(({ message, code }) => {
      this.#lost = message
      terminal.warn(`mesh: staging has lost its data: ${name}: ${message} [${code}]`)
    })
  }

  async close(): ReturnType<DataProxy['close']> {
    const lost = this.#lost
    const { gate, branch, production } = await this.#endWithProof()
    const counts = {
      'reads of production': statementsSent(gate) - gate.writes,
      '  passed as they were': gate.sent.T0 + gate.sent.TK,
      'statements diverted to the branch': branch.diverted,
      'rows copied up': branch.copiedUpRows,
      'statements refused': branch.refused + gate.refused,
    }
    const notes = [
      ...(lost === undefined ? [] : [`lost before the end, and staging's data with it: ${lost}`]),
      ...(production === undefined ? [] : [statisticsText(production)]),
      `audit log: ${this.#proxy.auditFile}`,
    ]
    return { counts, productionWrites: gate.writes, lost, notes }
  }

  /** The proof is asked for once no session can add to it, and the proxy ends whether or not it could be had. */
  async #endWithProof(): ReturnType<PostgresProxy['proof']> {
    try {
      await this.#proxy.endSessions()
      return await this.#proxy.proof()
    } finally {
      await this.#proxy.close()
    }
  }
}
