/** The `holdfast token` command: a token (JWT) for the control API, from a key. */
import { ConfigError } from '../config/errors.js';
import { parseTokenLine } from '../config/flags/cli-options.js';
import { version } from '../version.js';
import { makeToken } from './token/make-token.js';

/** What the command has of its process. */
export interface TokenProcess {
  /** After `token`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  print(text: string): void;
  complain(text: string): void;
}

/** Prints a token. Returns the exit status: 0, or 1 after one line of complaint. Never throws. */
export function runToken({ argv, env, print, complain }: TokenProcess): 0 | 1 {
  try {
    const line = parseTokenLine(argv, version);
    print('text' in line ? line.text : `${makeToken(line.flags, env.GRIP_URL, Date.now() / 1_000)}\n`);
    return 0;
  } catch (error) {
    // Faults of our own show where they are; all others are for the user.
    const foreseen = error instanceof ConfigError || (error instanceof Error && 'code' in error);
    complain(`Error: ${foreseen ? error.message : ((error as Error).stack ?? String(error))}\n`);
    return 1;
  }
}

/** Runs the command in this process, and sets the exit status. */
export function tokenMain(argv: readonly string[]): void {
  process.exitCode = runToken({
    argv,
    env: process.env,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
  });
}
