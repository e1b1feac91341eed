import fc from 'fast-check'
import { clockSeed } from './seed.ts'

// Properties draw the same in CI, where a change is judged and not chance. Elsewhere a failure prints what repeats it.
fc.configureGlobal({ seed: clockSeed(20_261_123) })
