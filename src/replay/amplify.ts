import { MeshError } from '../core/errors.ts'
import { hashPair } from '../core/random.ts'
import { MAX_AMPLIFY } from './options.ts'

const TWO_TO_32 = 0x1_0000_0000

/** Salt of the choice of sessions; a clone's own number salts its jitter. */
const CHOICE = 0x7fff_ffff

/**
 * How often each session is sent and by how much its copies are shifted, decided by a hash of the session and the seed: the same
 * in every run, every shard and every recording that the session appears in.
 */
export class Amplifier {
  readonly #whole: number
  /** A session is sent once more where its hash is below. */
  readonly #chosenBelow: number
  readonly #seed: number
  /** Copies are shifted by 0 up to this, in whole nanoseconds of recorded time. */
  readonly jitterNs: number

  /** `amplify` above 0 and at most 1,000. @throws MeshError MESH_ERR_USAGE */
  constructor(amplify: number, seed: number, jitterNs: number) {
    if (!(amplify > 0 && amplify <= MAX_AMPLIFY)) {
      const what = `expected a multiplier above 0 and up to ${MAX_AMPLIFY}, found ${amplify}`
      throw new MeshError('MESH_ERR_USAGE', { what, where: '--amplify' })
    }
    this.#whole = Math.floor(amplify)
    this.#chosenBelow = (amplify - this.#whole) * TWO_TO_32
    this.#seed = seed
    this.jitterNs = Math.floor(jitterNs)
  }

  /** The most copies that any session has. */
  get mostCopies(): number {
    return this.#whole + (this.#chosenBelow > 0 ? 1 : 0)
  }

  /** How often this session is sent; 0 leaves it out. */
  copies(sessionHash: number): number {
    if (this.#chosenBelow === 0) return this.#whole
    return this.#whole + (hashPair(sessionHash, this.#seed ^ CHOICE) < this.#chosenBelow ? 1 : 0)
  }

  /** The same at another multiplier, from 0 up to the one that this was made with. A greater one never means fewer copies. */
  copiesAt(sessionHash: number, multiplier: number): number {
    const whole = Math.floor(multiplier)
    if (whole === multiplier) return whole
    return whole + (hashPair(sessionHash, this.#seed ^ CHOICE) < (multiplier - whole) * TWO_TO_32 ? 1 : 0)
  }

  /** By how much a copy is later than it was recorded: uniform from 0 to the jitter. Copy 0 keeps its times. */
  shiftNs(sessionHash: number, clone: number): number {
    if (clone === 0) return 0
    const hash = hashPair(hashPair(sessionHash, this.#seed), clone)
    return Math.floor((hash / TWO_TO_32) * (this.jitterNs + 1))
  }
}
