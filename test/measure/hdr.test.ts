import fc from 'fast-check'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import { decodeHdr, encodeHdr, percentileDistribution } from '../../src/measure/hdr.ts'
import { Histogram } from '../../src/measure/histogram.ts'
import { bucketsOf, histogramOf } from './histograms.ts'

const durations = fc.array(fc.double({ min: 0, max: 5e12, noNaN: true }), { maxLength: 200 })

describe('encodeHdr', () => {
  it('loses nothing on the way out and back', () => {
    fc.assert(
      fc.property(durations, (values) => {
        const histogram = histogramOf(values)
        const back = decodeHdr(encodeHdr(histogram), 'run.json', histogram)
        expect(bucketsOf(back)).toEqual(bucketsOf(histogram))
        expect([back.sumNs, back.minNs, back.maxNs]).toEqual([histogram.sumNs, histogram.minNs, histogram.maxNs])
      }),
      { numRuns: 40 },
    )
  })

  it('is read by HdrHistogram itself, in nanoseconds', () => {
    const hdr = decodeFromCompressedBase64(encodeHdr(histogramOf([1e6, 50e6, 50e6, 3e9])))
    expect(hdr.totalCount).toBe(4)
    expect(hdr.getValueAtPercentile(50) / 50e6).toBeCloseTo(1, 2)
    expect(hdr.maxValue / 3e9).toBeCloseTo(1, 2)
  })

  it('keeps counts beyond 32 bits', () => {
    const histogram = new Histogram()
    histogram.addBucket(1000, 6e9)
    histogram.addSums(6e15, 1e6, 1e6)
    expect(decodeHdr(encodeHdr(histogram), 'x').count).toBe(6e9)
  })

  it.each(['', 'HISTF', 'AAAA', encodeHdr(histogramOf([1e6])).slice(0, 30)])('refuses to decode "%s"', (text) => {
    expect(() => decodeHdr(text, 'run.json, routes[3]')).toThrow(/expected an HdrHistogram .*\(run.json, routes\[3\]\)/)
  })
})

describe('percentileDistribution', () => {
  it('is what HdrHistogram prints, in milliseconds', () => {
    expect(percentileDistribution(histogramOf([1e6, 2e6, 4.03e6, 8e6]))).toMatchInlineSnapshot(`
      "       Value     Percentile TotalCount 1/(1-Percentile)

             1.002 0.000000000000          1           1.00
             1.002 0.100000000000          1           1.11
             1.002 0.200000000000          1           1.25
             2.004 0.300000000000          2           1.43
             2.004 0.400000000000          2           1.67
             2.004 0.500000000000          2           2.00
             4.024 0.550000000000          3           2.22
             4.024 0.600000000000          3           2.50
             4.024 0.650000000000          3           2.86
             4.024 0.700000000000          3           3.33
             4.024 0.750000000000          3           4.00
             8.016 0.775000000000          4           4.44
             8.016 1.000000000000          4
      #[Mean    =        3.761, StdDeviation   =        2.686]
      #[Max     =        8.012, Total count    =            4]
      #[Buckets =           33, SubBuckets     =         2048]
      "
    `)
  })

  it('is printable where nothing was measured', () => {
    expect(percentileDistribution(new Histogram())).toContain('Total count    =            0')
  })
})
