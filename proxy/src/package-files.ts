/** The version of this Holdfast. */
import { readFileSync } from 'node:fs';

/** As in package.json; shown by `--version`, and to other nodes. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};
