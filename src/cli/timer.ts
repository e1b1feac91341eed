/** The longest time that the platform's timers know, 24.8 days: beyond it they fire at once. */
const MAX_TIMER_MS = 0x7fff_ffff

/** Calls after so many nanoseconds, however many they are; returns what stops it. */
export function after(ns: number, call: () => void): () => void {
  let leftMs = ns / 1e6
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const stepMs = Math.min(leftMs, MAX_TIMER_MS)
    leftMs -= stepMs
    timer = setTimeout(() => (leftMs > 0 ? arm() : call()), stepMs)
  }
  arm()
  return () => clearTimeout(timer)
}
