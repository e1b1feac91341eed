import { access } from 'node:fs/promises'
import { types } from 'node:util'
import { createContext, Script } from 'node:vm'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { MeshError, systemCode, toMeshError } from '../../core/errors.ts'
import { importTypeScript, isTypeScript } from './bundle-hook.ts'
import type { RequestDraft } from './request-draft.ts'

/** A user's function that sees every request before it is planned. It changes the draft; `false`: the request is not sent. */
export type RequestFunction = (request: RequestDraft) => boolean | void

/** A module and a block of requests may take this long. */
const MAX_LOAD_MS = 10_000
const MAX_BLOCK_MS = 5_000

/**
 * A user's module that exports `request`, in JavaScript or TypeScript. It is called once for each request when the run is planned, and once each time that the
 * request is made ready, in the order of the recording: it has to do the same again. It runs in our process, with our rights.
 */
export class RequestHook {
  readonly file: string
  readonly #call: RequestFunction
  #work: (() => void) | undefined
  /** A script is what can be ended from outside; it calls what stands in `work`. */
  readonly #script = new Script('work()')
  readonly #context: ReturnType<typeof createContext> = createContext({ work: () => this.#work?.() })

  private constructor(file: string, call: RequestFunction) {
    this.file = file
    this.#call = call
  }

  /** @throws MeshError MESH_ERR_HOOK where the module cannot be loaded or has no function `request`. */
  static async load(file: string): Promise<RequestHook> {
    const late = new AbortController()
    const tooLate = pause(MAX_LOAD_MS, undefined, { signal: late.signal }).then(() => {
      throw hookError(
        `expected a module that is loaded within ${MAX_LOAD_MS / 1000} s, found that it still waits`,
        file,
      )
    })
    try {
      await access(file)
      const loading: Promise<unknown> = isTypeScript(file)
        ? importTypeScript(file)
        : import(pathToFileURL(resolve(file)).href)
      const module = await Promise.race([loading, tooLate])
      const call = typeof module === 'object' && module !== null && 'request' in module ? module.request : undefined
      if (!isFunction(call)) {
        throw hookError(
          'expected a function "request" among the exports',
          file,
          'export function request(request) { .. }',
        )
      }
      return new RequestHook(file, call)
    } catch (error) {
      if (error instanceof MeshError) throw error
      if (systemCode(error) !== undefined) throw toMeshError(error, file)
      throw hookError(`expected a module, found: ${saidBy(error)}`, file, undefined, error)
    } finally {
      late.abort()
      tooLate.catch(() => undefined)
    }
  }

  /**
   * Calls the function for each draft; gives which of them are to be sent.
   *
   * @throws MeshError MESH_ERR_HOOK where it throws, gives a promise, or does not come back.
   */
  run(drafts: readonly RequestDraft[]): readonly boolean[] {
    const sent: boolean[] = []
    let current: RequestDraft | undefined
    this.#work = () => {
      for (const draft of drafts) {
        current = draft
        const said: unknown = this.#call(draft)
        if (isPromise(said)) throw hookError('expected a function that returns at once, found a promise', this.file)
        sent.push(said !== false)
      }
    }
    try {
      this.#script.runInContext(this.#context, { timeout: MAX_BLOCK_MS })
      return sent
    } catch (error) {
      if (error instanceof MeshError) throw error
      const request = current === undefined ? '' : ` at ${current.method} ${current.target}`.slice(0, 200)
      // Of the script's own realm, whose errors are none of ours to `instanceof`.
      const isLate = types.isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
      const what = isLate
        ? `the hook did not come back within ${MAX_BLOCK_MS / 1000} s${request}`
        : `the hook threw${request}: ${saidBy(error)}`
      throw hookError(what, this.file, undefined, error)
    } finally {
      this.#work = undefined
    }
  }
}

function isFunction(value: unknown): value is RequestFunction {
  return typeof value === 'function'
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The error with its place in the user's own code. */
function saidBy(error: unknown): string {
  if (!types.isNativeError(error)) return String(error).slice(0, 300)
  const [place] = /\([^()]*:\d+:\d+\)|at [^()\s]*:\d+:\d+/.exec(error.stack ?? '') ?? []
  return `${error.message.slice(0, 300)}${place === undefined ? '' : ` ${place.replace('file://', '')}`}`
}

function hookError(what: string, where: string, remedy?: string, cause?: unknown): MeshError {
  return new MeshError('MESH_ERR_HOOK', { what, where, ...(remedy === undefined ? {} : { remedy }), cause })
}
