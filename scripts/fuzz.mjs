// npm run fuzz: hostile input of all kinds against real nodes, for as long as you like. Builds, then
// starts proxy/test/hardening; what is sent, and what is looked at, is there.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build, installPackages, root } from './setup.mjs';

installPackages();
build();
const script = path.join(root, 'proxy/dist-test/hardening/command.js');
const child = spawn(process.execPath, ['--enable-source-maps', script, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
