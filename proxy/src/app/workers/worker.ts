/** The entry of a worker process. */
import { ignoreDebuggerSignal } from '../../runtime/start-up.js';

ignoreDebuggerSignal();
// Loaded only now: its imports take a while.
await import('./worker-main.js');
