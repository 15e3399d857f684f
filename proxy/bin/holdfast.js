#!/usr/bin/env node
// A file of its own, because npm links commands only to files that exist at install time, before anything is built.
import { ignoreDebuggerSignal } from '../dist/runtime/start-up.js';

ignoreDebuggerSignal();
const { main } = await import('../dist/cli.js');
await main();
