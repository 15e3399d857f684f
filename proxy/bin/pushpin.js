#!/usr/bin/env node
// Holdfast under Pushpin's name, for tools that look for it on the PATH: looks for pushpin.conf where Pushpin does.
import { ignoreDebuggerSignal } from '../dist/runtime/start-up.js';

ignoreDebuggerSignal();
const [{ main }, { pushpinSearch }] = await Promise.all([
  import('../dist/cli.js'),
  import('../dist/app/load-config.js'),
]);
await main({ search: pushpinSearch });
