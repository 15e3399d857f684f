/**
 * The `holdfast tap` command.
 *
 * Owns: from arguments to output and exit status. Does not own: flags (`config/tap-options`), following (`tap/`).
 */
import { once } from 'node:events';
import { parseTapLine } from '../config/flags/cli-options.js';
import type { TapFlags } from '../config/flags/command-flags.js';
import { ConfigError, TapError } from '../errors.js';
import { realClock } from '../runtime/clock.js';
import { watchLauncher } from '../runtime/launcher.js';
import { version } from '../version.js';
import { controlOf, DEFAULT_CONTROL } from './publish/destination.js';
import { follow, type TapSource } from './tap/follow.js';

/** What the command has of its process. */
export interface TapProcess {
  /** After `tap`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves when there is room for more. */
  print(text: string): Promise<void> | void;
  complain(text: string): void;
  /** Aborts when the user wants no more. */
  readonly signal: AbortSignal;
}

function sourceOf({ control, ...credentials }: TapFlags, gripUrl: string | undefined): TapSource {
  const given = control ?? (gripUrl || DEFAULT_CONTROL);
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TapError('ERR_TAP_ARGUMENT', `--control: expected an http or https URL, got ${JSON.stringify(given)}`);
  }
  return controlOf(url, credentials, Date.now() / 1000, '/');
}

/**
 * Prints items as the arguments say. Resolves with the exit status: 0 when the user interrupts it, and for `--help` and
 * `--version`; 1 after one line of complaint. Never rejects.
 */
export async function runTap({ argv, env, print, complain, signal }: TapProcess): Promise<0 | 1> {
  try {
    const line = parseTapLine(argv, version);
    if ('text' in line) await print(line.text);
    else await follow(sourceOf(line.flags, env.GRIP_URL), line.channel, print, signal);
    return 0;
  } catch (error) {
    // Faults of our own show where they are; all others are for the user.
    const foreseen = error instanceof ConfigError || (error instanceof Error && 'code' in error);
    complain(`Error: ${foreseen ? error.message : ((error as Error).stack ?? String(error))}\n`);
    return 1;
  }
}

/** Runs the command in this process until SIGINT or SIGTERM, until nobody reads its output, or until the npm command is gone that
 * has started it. Sets the exit status. */
export async function tapMain(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process;
  const wish = new AbortController();
  const stop = () => wish.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const unwatch = watchLauncher(process.env, stop, realClock);
  stdout.on('error', stop);
  process.exitCode = await runTap({
    argv,
    env: process.env,
    print: async (text) => {
      if (!stdout.write(text)) await once(stdout, 'drain', { signal: wish.signal });
    },
    complain: (text) => stderr.write(text),
    signal: wish.signal,
  });
  unwatch();
  process.off('SIGINT', stop).off('SIGTERM', stop);
}
