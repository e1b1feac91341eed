/** A file of the package. This one is two folders below it, as it is compiled and as it is bundled (`scripts/bundle.js`). */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url)
}
