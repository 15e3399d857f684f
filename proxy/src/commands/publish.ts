/** The `holdfast publish` command, which is also `pushpin-publish`: from arguments to the item that is sent, output and exit status. */
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pushPacket } from '@holdfast/control-api';
import { encodeTnetstring, readJson } from '@holdfast/grip';
import { parsePublishLine } from '../config/command-line.js';
import { ConfigError, PublishError } from '../errors.js';
import { version } from '../version.js';
import { type Destination, destinationOf } from './destination.js';
import { buildItem, type Content } from './publish-item.js';

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

/**
 * Milliseconds for the control API to answer.
 *
 * @limit {s} for `holdfast publish` to get its answer
 * @over it fails
 */
const ANSWER_TIMEOUT_MS = 30_000;

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

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Not fetch, which follows redirects as a GET, and refuses ports that browsers must not use. */
function request(url: URL, headers: Readonly<Record<string, string>>, body: string): Promise<Answer> {
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = open(
      url,
      { method: 'POST', headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8').trim() });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function post(url: URL, authorization: string | undefined, item: object): Promise<void> {
  const body = JSON.stringify({ items: [item] });
  const headers = {
    'Content-Type': 'application/json',
    // In JSON a refusal says more; what is no node of ours may have text only.
    Accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...(authorization !== undefined && { Authorization: authorization }),
  };
  const { status, text } = await request(url, headers, body).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.name === 'AbortError' ? 'no answer in time' : (cause.code ?? cause.message);
    throw new PublishError('ERR_PUBLISH_UNREACHABLE', `cannot publish to ${url}: ${reason}`, { cause });
  });
  if (status < 200 || status > 299)
    throw new PublishError('ERR_PUBLISH_REFUSED', saidIn(text) || `${url} answered ${status}`);
}

/** What an answer says, in one line: JSON of the control API with its detail, or text as it is. */
function saidIn(text: string): string {
  const { message, detail } = (readJson(text).value ?? {}) as { message?: unknown; detail?: unknown };
  if (typeof message !== 'string') return text;
  return typeof detail === 'string' ? `${message} ${detail}` : message;
}

/**
 * Sends an item that was built for this kind of destination. Resolves once the control API has answered that it is
 * published; of ZeroMQ, once it is on its way.
 * @throws PublishError, or the `ControlError` of the ZeroMQ socket
 */
function sendItem(destination: Destination, item: object): Promise<void> {
  if (destination.kind === 'http') return post(destination.url, destination.authorization, item);
  return pushPacket(destination.spec, encodeTnetstring(item));
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
