/** The entry of a worker process. */
import { ignoreDebuggerSignal } from '../../runtime/debugger-signal.js';

ignoreDebuggerSignal();
// Loaded only now: its imports take a while.
await import('./worker-main.js');
