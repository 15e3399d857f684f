// Makes one file of tap for a test run. Each of some 600 test files loads tap, and to find, read and link its 180 modules takes a
// quarter of a second of CPU.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from './setup.mjs';

/**
 * Puts it where `import 'tap'` finds it first: into `node_modules` beside the compiled tests of each package. There it stays for files that are
 * run by themselves, and is made anew by the next run.
 *
 * @param {Iterable<string>} folders  packages with compiled tests, from the root
 */
export function bundleTap(folders) {
  const require = createRequire(import.meta.url);
  const { buildSync } = /** @type {import('esbuild')} */ (require('esbuild'));
  const [output] = buildSync({
    entryPoints: [path.join(root, 'node_modules/tap/dist/esm/index.js')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Some of its parts are CommonJS.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
    },
    logLevel: 'warning',
  }).outputFiles;
  if (output === undefined) throw new Error('esbuild has made nothing of tap');
  for (const folder of folders) {
    const place = path.join(root, folder, 'dist-test/node_modules/tap');
    mkdirSync(place, { recursive: true });
    writeFileSync(path.join(place, 'package.json'), '{ "type": "module", "exports": "./index.js" }\n');
    // Tests of another run may be reading it.
    const draft = path.join(place, `index-${process.pid}.js`);
    writeFileSync(draft, output.contents);
    renameSync(draft, path.join(place, 'index.js'));
  }
}
