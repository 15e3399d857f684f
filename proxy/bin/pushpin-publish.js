#!/usr/bin/env node
// `holdfast publish` under Pushpin's name, for scripts that call it.
import { ignoreDebuggerSignal } from '../dist/runtime/start-up.js';

ignoreDebuggerSignal();
const { publishMain } = await import('../dist/commands/publish.js');
await publishMain('pushpin-publish', process.argv.slice(2));
