/** The `holdfast tap` command: it prints the items of a channel, as the control API of a node shows them, until it is interrupted. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { readJson } from '@holdfast/grip';
import type { TapFlags } from '../config/command-flags.js';
import { parseTapLine } from '../config/command-line.js';
import { TapError, userText } from '../errors.js';
import { version } from '../package-files.js';
import { realClock } from '../runtime/clock.js';
import { watchLauncher } from '../runtime/launcher.js';
import { controlOf, DEFAULT_CONTROL } from './destination.js';

/**
 * Milliseconds without a byte after which the connection counts as lost; three of the node's signs of life.
 *
 * @limit {s} without a byte for `holdfast tap`
 * @over the connection counts as lost
 */
const SILENCE_MS = 45_000;

/** Longest text of a refusal that is read, in bytes; the rest is left out. */
const MAX_REFUSAL = 10_000;

/** Where to ask, and as whom. */
interface TapSource {
  /** Base of the control API. */
  readonly url: URL;
  /** Value of Authorization, if there is one. */
  readonly authorization: string | undefined;
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
 * Hands over each line of the channel with its newline, without the empty ones; the next one is not handed over before what
 * `print` returns has resolved. Resolves when `signal` aborts.
 * @throws TapError when the node cannot be reached, refuses, or ends it
 */
async function follow(
  { url, authorization }: TapSource,
  channel: string,
  print: (line: string) => Promise<void> | void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const headers = {
      Accept: 'application/x-ndjson',
      ...(authorization !== undefined && { Authorization: authorization }),
    };
    // Not in the URL, which would take a channel of dots for directories.
    const path = `${url.pathname}channels/${encodeURIComponent(channel)}/items`;
    const incoming = await ask(url, path, headers, signal);
    await check(incoming, url);
    const last = await lines(incoming, print);
    throw new TapError('ERR_TAP_ENDED', `the node ended the tap${reasonIn(last)}`);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof TapError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new TapError('ERR_TAP_ENDED', `connection lost: ${code ?? message}`, { cause: error });
  }
}

function ask(
  url: URL,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = open(url, { path, headers, signal }, resolve);
    outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new Error('the node sent nothing any more')));
    outgoing.on('error', (cause: NodeJS.ErrnoException) =>
      reject(new TapError('ERR_TAP_UNREACHABLE', `cannot reach ${url}: ${cause.code ?? cause.message}`, { cause })),
    );
    outgoing.end();
  });
}

async function check(incoming: IncomingMessage, url: URL): Promise<void> {
  const { statusCode = 0, headers } = incoming;
  if (statusCode === 200 && headers['content-type'] === 'application/x-ndjson') return;
  if (statusCode === 200 || statusCode === 404 || statusCode === 405) {
    incoming.destroy();
    const why = 'it is no Holdfast, or an older one';
    throw new TapError('ERR_TAP_UNSUPPORTED', `${url} does not show the items of channels: ${why}`);
  }
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_REFUSAL) break;
  }
  throw new TapError('ERR_TAP_REFUSED', `${url} answered ${statusCode}: ${messageIn(text)}`);
}

/** Resolves with the last line once the node has ended the body. */
async function lines(incoming: IncomingMessage, print: (line: string) => Promise<void> | void): Promise<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let last = '';
  for await (const chunk of incoming) {
    const parts = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (line === '') continue;
      last = line;
      await print(`${line}\n`);
    }
  }
  return last;
}

function messageIn(text: string): string {
  // Text that is no JSON comes from a proxy in front of the control API.
  const { message } = (readJson(text).value ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : text.trim();
}

function reasonIn(line: string): string {
  const { end } = (readJson(line).value ?? {}) as { end?: unknown };
  return typeof end === 'string' ? `: ${end}` : '';
}

/**
 * Runs the command in this process until SIGINT or SIGTERM, until nobody reads its output, or until the npm command that started
 * it has gone. Prints items, or what `--help` and `--version` ask for; on failure one line of complaint, with exit status 1. Never
 * rejects.
 */
export async function tapMain(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process;
  const wish = new AbortController();
  const { signal } = wish;
  const stop = () => wish.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const unwatch = watchLauncher(process.env, stop, realClock);
  stdout.on('error', stop);
  const print = async (text: string) => {
    if (!stdout.write(text)) await once(stdout, 'drain', { signal });
  };
  try {
    const line = parseTapLine(argv, version);
    if ('text' in line) await print(line.text);
    else await follow(sourceOf(line.flags, process.env.GRIP_URL), line.channel, print, signal);
  } catch (error) {
    stderr.write(`Error: ${userText(error)}\n`);
    process.exitCode = 1;
  }
  unwatch();
  process.off('SIGINT', stop).off('SIGTERM', stop);
}
