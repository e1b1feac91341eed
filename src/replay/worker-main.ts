import { parentPort, workerData } from 'node:worker_threads'

import { runWorker } from './worker.ts'

/** The entry of a sending thread: `Fleet` starts it by its address. */
if (parentPort !== null) await runWorker(parentPort, workerData)
