/** Owns: what is the first thing that a worker process does. Does not own: the rest (`worker-main`). */
import { ignoreDebuggerSignal } from '../../runtime/start-up.js';

ignoreDebuggerSignal();
// Loaded only now: its imports take a while.
await import('./worker-main.js');
