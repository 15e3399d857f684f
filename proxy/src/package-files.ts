/** The files of this package that are found by their path: package.json, the live page, and the code of workers. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The whole path of a file of this package.
 *
 * The one place that knows where code lies in it: the published code is a few files in `dist` itself (scripts/bundle.mjs), in
 * which a path from the module that asks would lead elsewhere.
 *
 * @param path  from the folder of package.json, such as `ui/index.html`
 */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** As in package.json; shown by `--version`, and to other nodes. */
export const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
  readonly version: string;
};
