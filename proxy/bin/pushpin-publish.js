#!/usr/bin/env node
// `holdfast publish` under Pushpin's name, for scripts that call it.
import { ignoreDebuggerSignal } from '../dist/debugger-signal.js';

ignoreDebuggerSignal();
const { publishMain } = await import('../dist/publish-command.js');
await publishMain('pushpin-publish', process.argv.slice(2));
