/**
 * The `holdfast publish` command, which is also `pushpin-publish`.
 *
 * Owns: from arguments to output and exit status. Does not own: flags (`config/publish-options`), the item and its way
 * (`publish/`).
 */
import { readFileSync } from 'node:fs';
import { parsePublishLine } from '../config/flags/cli-options.js';
import { ConfigError, PublishError } from '../errors.js';
import { version } from '../version.js';
import { destinationOf } from './publish/destination.js';
import { buildItem, type Content } from './publish/item.js';
import { sendItem } from './publish/send.js';

/** What the command has of its process. */
export interface PublishProcess {
  /** As the user called it, for `--help`: `holdfast publish` or `pushpin-publish`. */
  readonly name: string;
  readonly version: string;
  /** After the name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  print(text: string): void;
  complain(text: string): void;
}

const STANDARD_INPUT = 0;

/** `@file` is the content of a file, `@-` standard input; anything else is the content itself. */
function contentOf(argument: string | undefined): Content | undefined {
  if (argument === undefined) return undefined;
  if (!argument.startsWith('@')) return { bytes: Buffer.from(argument), verbatim: false };
  const file = argument.slice(1);
  try {
    return { bytes: readFileSync(file === '-' ? STANDARD_INPUT : file), verbatim: true };
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new PublishError('ERR_PUBLISH_FILE', `can't read file ${file}: ${reason}`, { cause });
  }
}

/**
 * Publishes what the arguments say. Resolves with the exit status: 0 after printing `Published` (or what `--help` and
 * `--version` ask for), 1 after one line of complaint. Never rejects.
 */
export async function runPublish(process: PublishProcess): Promise<0 | 1> {
  try {
    const line = parsePublishLine(process.argv, process);
    if ('text' in line) {
      process.print(line.text);
      return 0;
    }
    const destination = destinationOf(line.flags, process.env.GRIP_URL, Date.now() / 1000);
    const encoding = destination.kind === 'http' ? 'json' : 'tnetstring';
    const { hint, close } = line.flags;
    const content = hint || close ? undefined : contentOf(line.content);
    await sendItem(destination, buildItem(line.channel, line.flags, content, encoding));
    process.print('Published\n');
    return 0;
  } catch (error) {
    // Faults of our own show where they are; all others are for the user.
    const foreseen = error instanceof ConfigError || (error instanceof Error && 'code' in error);
    process.complain(`Error: ${foreseen ? error.message : ((error as Error).stack ?? String(error))}\n`);
    return 1;
  }
}

/**
 * Runs the command in this process; called by `holdfast publish` and by bin/pushpin-publish.js. Sets the exit status and
 * lets the process end by itself, so that a ZeroMQ message is written out.
 */
export async function publishMain(name: string, argv: readonly string[]): Promise<void> {
  process.exitCode = await runPublish({
    name,
    version,
    argv,
    env: process.env,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
  });
}
