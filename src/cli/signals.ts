/** What stopped a verb: the first signal asks for an orderly end, the second for an end now. */
export interface StopSignals {
  /** Aborts on the first INT or TERM (or when the verb's own duration or limit is reached, through `stop`). */
  readonly drain: AbortSignal
  /** Aborts on the second. */
  readonly now: AbortSignal
  /** The signal that came first, if any. */
  readonly name: () => 'SIGINT' | 'SIGTERM' | undefined
  /** Ends in order, as the first signal does, without one. */
  stop(): void
  /** Gives the signals back to the process. */
  release(): void
}

/** Listens for INT and TERM. Whoever calls it calls `release` at the end. */
export function listenForStop(onFirst?: (name: string) => void): StopSignals {
  const drain = new AbortController()
  const now = new AbortController()
  let first: 'SIGINT' | 'SIGTERM' | undefined
  const listen = (name: 'SIGINT' | 'SIGTERM') => (): void => {
    if (first !== undefined) return now.abort()
    first = name
    onFirst?.(name)
    drain.abort()
  }
  const [onInt, onTerm] = [listen('SIGINT'), listen('SIGTERM')]
  process.on('SIGINT', onInt)
  process.on('SIGTERM', onTerm)
  return {
    drain: drain.signal,
    now: now.signal,
    name: () => first,
    stop: () => drain.abort(),
    release() {
      process.off('SIGINT', onInt)
      process.off('SIGTERM', onTerm)
    },
  }
}
