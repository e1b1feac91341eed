import { MeshError } from '../../core/errors.ts'
import { ByteWindow } from './byte-window.ts'
import { CLASSIC_FILE_HEADER_BYTES, ClassicFormat, isClassicMagic } from './classic.ts'
import { foundKind } from './file-kind.ts'
import type { CaptureFormat } from './format.ts'
import { isNgMagic, NgFormat } from './ng.ts'
import type { Packet } from './packet.ts'

/**
 * Reads a capture file, pcap or pcapng, as its bytes come. Any split of the bytes gives the same packets.
 *
 * ```
 * parser.append(chunk)
 * while (parser.next(packet)) { … packet.bytes.subarray(packet.start, packet.end) … }
 * …
 * parser.finish()   // undefined, or how the file is cut
 * ```
 *
 * The parser keeps views of the chunks it is given: they must not be written to again.
 */
export class CaptureParser {
  readonly #name: string
  readonly #window = new ByteWindow()
  #format: CaptureFormat | undefined

  /** `name` is the file's, for messages. */
  constructor(name: string) {
    this.#name = name
  }

  append(chunk: Uint8Array): void {
    this.#window.append(chunk)
  }

  /**
   * Fills `packet` with the next one; false where more bytes are needed. Throws a `MeshError` where the file is of another
   * kind (`MESH_ERR_FILE_KIND`), of another network (`MESH_ERR_LINK_TYPE`) or damaged (`MESH_ERR_FILE_CORRUPT`).
   */
  next(packet: Packet): boolean {
    do {
      this.#format ??= this.#detect()
      if (this.#format?.next(this.#window, packet) === true) return true
    } while (this.#window.more())
    return false
  }

  /** Call when no more bytes come: the error that says where the file is cut, or undefined where it ends as it should. */
  finish(): MeshError | undefined {
    const { available, owed, streamOffset } = this.#window
    if (this.#format === undefined) {
      if (available >= 4) return this.#cut('its header', streamOffset, available)
      throw this.#wrongKind()
    }
    if (owed > 0) return this.#cut('a block', streamOffset - owed, 0)
    return available === 0 ? undefined : this.#cut('a packet', streamOffset, available)
  }

  get unsupportedLinkPackets(): number {
    return this.#format?.unsupportedLinkPackets ?? 0
  }

  /** Packets that the file says its capture lost. */
  get reportedDrops(): number {
    return this.#format?.reportedDrops ?? 0
  }

  #detect(): CaptureFormat | undefined {
    const window = this.#window
    if (window.available < 4) return undefined
    if (isNgMagic(window.bytes, window.start)) return new NgFormat(this.#name)
    if (!isClassicMagic(window.bytes, window.start)) throw this.#wrongKind()
    return window.available < CLASSIC_FILE_HEADER_BYTES ? undefined : new ClassicFormat(this.#name, window)
  }

  #wrongKind(): MeshError {
    const { what, remedy } = foundKind(this.#window.bytes.subarray(this.#window.start))
    return new MeshError('MESH_ERR_FILE_KIND', {
      what: `expected a pcap or pcapng file, found ${what}`,
      where: `${this.#name}, offset 0`,
      remedy,
    })
  }

  #cut(inside: string, offset: number, found: number): MeshError {
    const rest = found === 0 ? '' : `, of which ${found} bytes are there`
    return new MeshError('MESH_ERR_FILE_CUT', {
      what: `expected the end of the capture between packets, found it inside ${inside}${rest}`,
      where: `${this.#name}, offset ${offset}`,
      remedy: 'the file is cut; everything before was read',
    })
  }
}
