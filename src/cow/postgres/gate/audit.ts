import { open, type FileHandle } from 'node:fs/promises'
import { toMeshError } from '../../../core/errors.ts'
import type { MeshError } from '../../../core/errors.ts'
import { monotonicNs, unixNs } from '../../../core/clock.ts'
import { bindValueCount } from '../../../wire/postgres/bind-tail.ts'
import { maskedSql } from './masked-sql.ts'
import type { SentStatement } from './sent-statement.ts'

/** Lines that wait for the disk. When there are more, new statements wait: the log is the proof, so nothing is dropped from it. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024
/** Longer statements are cut in the log, and their length is told. */
const MAX_SHOWN_CHARACTERS = 4096
/** A write is begun so long after the last one ended: what many statements recorded leaves in one. */
const WRITE_PAUSE_MS = 10
/** Masked texts that are kept, so that a text which comes again is not masked again. */
const MAX_KEPT_TEXTS = 1024

/**
 * Every statement that was sent to production, one JSON object a line, without values. The file is ours alone (0600) and is
 * appended to. Where it cannot be written, no further statement is sent: see `ready`.
 */
export class AuditLog {
  readonly path: string
  readonly #file: FileHandle
  /** By text: as it stands in a line. */
  readonly #masked = new Map<string, string>()
  #lines: string[] = []
  #queuedBytes = 0
  #writing: Promise<void> | undefined
  #failure: MeshError | undefined
  #isClosing = false
  #endPause = (): void => undefined
  #timeNs = -Infinity
  #time = ''

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  static async open(path: string): Promise<AuditLog> {
    try {
      const file = await open(path, 'a', 0o600)
      await file.chmod(0o600)
      return new AuditLog(path, file)
    } catch (error) {
      throw toMeshError(error, path)
    }
  }

  /**
   * Undefined where a statement may be sent at once; else resolves when the queue has room. Throws what broke the log: a
   * statement that cannot be recorded is not sent.
   */
  ready(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    return this.#queuedBytes < MAX_QUEUED_BYTES ? undefined : this.#drained()
  }

  /** What broke the log. */
  get failure(): MeshError | undefined {
    return this.#failure
  }

  /** A statement may be sent now. */
  get hasRoom(): boolean {
    return this.#failure === undefined && this.#queuedBytes < MAX_QUEUED_BYTES
  }

  record(sent: SentStatement): void {
    if (this.#failure !== undefined) return
    const line = this.#lineOf(sent)
    this.#lines.push(line)
    this.#queuedBytes += line.length
    this.#writing ??= this.#write()
  }

  /** Writes what is queued, and closes the file. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#endPause()
    while (this.#writing !== undefined) await this.#writing
    await this.#file.close()
  }

  /** Ends early where the log is closed, or where there is much to write. */
  #pause(): Promise<void> {
    if (this.#isClosing || this.#queuedBytes >= MAX_QUEUED_BYTES) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, WRITE_PAUSE_MS)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #drained(): Promise<void> {
    while (this.#queuedBytes >= MAX_QUEUED_BYTES && this.#writing !== undefined) await this.#writing
    if (this.#failure !== undefined) throw this.#failure
  }

  async #write(): Promise<void> {
    await this.#pause()
    const lines = this.#lines
    this.#lines = []
    const text = lines.join('')
    try {
      await this.#file.appendFile(text)
    } catch (error) {
      this.#failure = toMeshError(error, this.path)
      this.#lines = []
    }
    this.#queuedBytes -= text.length
    this.#writing = this.#lines.length > 0 ? this.#write() : undefined
  }

  /** A line is made of pieces: its fields are numbers, names of ours, and a text that is quoted once. */
  #lineOf({ lane, statement, isContinued, processId, durationNs, end }: SentStatement): string {
    const fields =
      `{"time":"${this.#timeNow()}","lane":"${lane}","process":${processId},"statement":${this.#maskedOf(statement.text)}` +
      `,"parameters":${bindValueCount(statement.bindTail)}${isContinued ? ',"continued":true' : ''}` +
      `,"rows":${end.rows},"durationUs":${Math.round(durationNs / 1000)}`
    if (end.kind !== 'failed') return `${fields}}\n`
    // The error was another statement's.
    if (end.unrun === 'skipped') return `${fields},"skipped":true}\n`
    return `${fields},"failed":${JSON.stringify(end.error.code)}}\n`
  }

  /** Written out once a millisecond. */
  #timeNow(): string {
    const nowNs = monotonicNs()
    if (nowNs - this.#timeNs >= 1e6) {
      this.#timeNs = nowNs
      this.#time = new Date(Number(unixNs() / 1_000_000n)).toISOString()
    }
    return this.#time
  }

  #maskedOf(text: string): string {
    const known = this.#masked.get(text)
    if (known !== undefined) return known
    const masked = JSON.stringify(shortened(maskedSql(text)))
    if (text.length <= MAX_SHOWN_CHARACTERS) {
      if (this.#masked.size >= MAX_KEPT_TEXTS) this.#masked.clear()
      this.#masked.set(text, masked)
    }
    return masked
  }
}

function shortened(text: string): string {
  if (text.length <= MAX_SHOWN_CHARACTERS) return text
  return `${text.slice(0, MAX_SHOWN_CHARACTERS)} … (${text.length} characters)`
}
