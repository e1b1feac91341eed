/**
 * The only file that knows the library of HdrHistogram: our histograms in the interchange format that Java, Go, Rust and Python read, and
 * back. Values are nanoseconds with three significant digits, which tells our own buckets apart: nothing is lost on the way.
 */
import {
  build,
  encodeIntoCompressedBase64,
  type Histogram as HdrHistogram,
  initWebAssemblySync,
} from 'hdr-histogram-js'
import { MeshError } from '../core/errors.ts'
import { bucketMiddleNs, bucketOf } from './buckets.ts'
import { forEachHdrCount } from './hdr-counts.ts'
import { Histogram } from './histogram.ts'

const SIGNIFICANT_DIGITS = 3

/** The last bucket's middle fits: 73 minutes. */
const MOST_NS = 2 ** 42

/** Longer texts are refused before they are unpacked: ours are below 50 kB. */
const MAX_TEXT_CHARS = 4 * 1024 * 1024

/** Steps of the percentile axis per halving of what is left above it, as HdrHistogram's own default. */
const TICKS_PER_HALF_DISTANCE = 5

/** Reused for every encoding: it is 260 kB, and resetting it is cheaper than making it. */
let scratch: HdrHistogram | undefined

/** HdrHistogram V2, compressed, base64; values in nanoseconds. Takes about a millisecond: never on a sending thread. */
export function encodeHdr(histogram: Histogram): string {
  scratch ??= emptyHdr(loadWebAssembly())
  scratch.reset()
  fill(scratch, histogram)
  return encodeIntoCompressedBase64(scratch)
}

/** Exact figures that buckets alone do not tell, as they are stored beside an encoded histogram. */
export interface ExactSums {
  readonly sumNs: number
  readonly minNs: number
  readonly maxNs: number
}

/**
 * The inverse of `encodeHdr`. Without `exact`, sum, minimum and maximum are those of the buckets' middles. Throws
 * `MESH_ERR_FILE_CORRUPT` where the text is not such a histogram; `where` is for that message.
 */
export function decodeHdr(text: string, where: string, exact?: ExactSums): Histogram {
  const histogram = new Histogram()
  if (exact !== undefined) {
    unpack(text, where, (value, count) => histogram.addBucket(bucketOf(value), count))
    if (histogram.count > 0) histogram.addSums(exact.sumNs, exact.minNs, exact.maxNs)
    return histogram
  }
  const middles = { sumNs: 0, minNs: Number.POSITIVE_INFINITY, maxNs: 0 }
  unpack(text, where, (value, count) => {
    const bucket = bucketOf(value)
    const ns = bucketMiddleNs(bucket)
    histogram.addBucket(bucket, count)
    middles.sumNs += ns * count
    middles.minNs = Math.min(middles.minNs, ns)
    middles.maxNs = Math.max(middles.maxNs, ns)
  })
  if (histogram.count > 0) histogram.addSums(middles.sumNs, middles.minNs, middles.maxNs)
  return histogram
}

/**
 * The percentile distribution as HdrHistogram's tools write and plot it (`.hgrm`), values in milliseconds. By the plain
 * build: the WebAssembly one of version 3.0.1 prints 4.028 as 4.280.
 */
export function percentileDistribution(histogram: Histogram): string {
  const hdr = emptyHdr(false)
  fill(hdr, histogram)
  return hdr.outputPercentileDistribution(TICKS_PER_HALF_DISTANCE, 1e6)
}

function fill(hdr: HdrHistogram, histogram: Histogram): void {
  histogram.forEachBucket((bucket, count) => hdr.recordValueWithCount(Math.round(bucketMiddleNs(bucket)), count))
}

function emptyHdr(useWebAssembly: boolean): HdrHistogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MOST_NS,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
    bitBucketSize: 64,
    autoResize: false,
    useWebAssembly,
  })
}

function loadWebAssembly(): boolean {
  try {
    initWebAssemblySync()
    return true
  } catch {
    return false
  }
}

function unpack(text: string, where: string, visit: (value: number, count: number) => void): void {
  const refuse = (found: string, cause?: unknown): never => {
    const what = `expected an HdrHistogram (V2, compressed, base64), found ${found}`
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what, where, cause })
  }
  if (text.length > MAX_TEXT_CHARS) return refuse(`${text.length} characters`)
  try {
    forEachHdrCount(text, visit)
  } catch (thrown) {
    return refuse('something else', thrown)
  }
}
