/** The seed of a test that draws the same each time, so that a change is judged and not chance; `MESH_TEST_SEED` chooses another. */
export function fixedSeed(fixed: number): number {
  return Number(process.env['MESH_TEST_SEED'] ?? fixed)
}

/** The seed of a test that tries something else in each run: of the clock, but in CI, where it is the fixed one. `MESH_TEST_SEED` repeats one. */
export function clockSeed(fixed: number): number {
  const isCi = !['', 'false', '0'].includes(process.env['CI'] ?? '')
  return fixedSeed(isCi ? fixed : Math.floor(Date.now() / 1000) % 1_000_000)
}
