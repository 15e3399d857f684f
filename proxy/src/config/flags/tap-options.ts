/**
 * The flags of `holdfast tap`.
 *
 * Owns: the table. Does not own: reading the command line (`cli-options.ts`), nor what the values mean (`../tap/`).
 */
import type { PublishOption } from './publish-options.js';

/** In the order of `--help`. */
export const tapOptions = [
  {
    flags: '--control <url>',
    doc: 'URL of the control API of any node (default $GRIP_URL, else http://localhost:5561)',
  },
  { flags: '-u, --user <user:pass>', doc: 'authenticate with a name and a password' },
  { flags: '-B, --bearer <token>', doc: 'authenticate with a token' },
] as const satisfies readonly PublishOption[];

/** The values of the flags; absent ones are undefined. */
export interface TapFlags {
  readonly control?: string;
  readonly user?: string;
  readonly bearer?: string;
}
