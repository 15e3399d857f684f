// The life of one worker thread: load the function, call it once, hand back what it returned. The runner
// ends the thread then, and all that the function may have kept goes with it.
import { parentPort, workerData } from 'node:worker_threads';
import { handler } from './handler.mjs';

parentPort?.postMessage(await handler(workerData));
