/** The `holdfast publish` command, which is also `pushpin-publish`: from arguments to the item that is sent, output and exit status. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type PublishReceipt, pushPacket, receiptNotes } from '@holdfast/control-api';
import {
  encodeTnetstring,
  type FormatName,
  MAX_ITEM_CHANNELS,
  MAX_ITEM_WARNINGS,
  readJson,
  readJsonBytes,
  type Writable,
} from '@holdfast/grip';
import type { PublishFlags } from '../config/command-flags.js';
import { parsePublishLine } from '../config/command-line.js';
import { PublishError, userText } from '../errors.js';
import { version } from '../package-files.js';
import { legible } from '../runtime/legible.js';
import { type Destination, destinationOf } from './destination.js';

/** What goes into the item. `verbatim` content gets no newline: it came from a file. */
export interface Content {
  readonly bytes: Buffer;
  readonly verbatim: boolean;
}

/** How the item will be encoded: JSON has no byte strings. */
type ItemEncoding = 'json' | 'tnetstring';

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

type Members = Readonly<Record<string, unknown>>;

const newline = Buffer.from('\n');

function wrong(message: string): PublishError {
  return new PublishError('ERR_PUBLISH_ARGUMENT', message);
}

/** `a: b` or `a=b`; white space around the value is taken off. */
function pair(text: string, separator: string, form: string): [string, string] {
  const at = text.indexOf(separator);
  if (at < 0) throw wrong(form);
  return [text.slice(0, at), text.slice(at + 1).trim()];
}

function metaOf({ meta = [], sender }: PublishFlags): Record<string, string> {
  const pairs = meta.map((text) => pair(text, '=', 'meta must be in the form "name=value"'));
  return Object.fromEntries(sender === undefined ? pairs : [['sender', sender], ...pairs]);
}

function codeOf({ code = '200' }: PublishFlags): number {
  if (!/^\d{1,3}$/.test(code)) throw wrong(`--code: expected a number from 0 to 999, got ${JSON.stringify(code)}`);
  return Number(code);
}

function patchOf({ bytes }: Content): unknown[] {
  const { value: patch, fault } = readJsonBytes(bytes);
  if (fault !== undefined) throw wrong(`the patch ${fault}`);
  if (!Array.isArray(patch)) throw wrong('patch content must be a JSON array');
  return patch;
}

/** In JSON bytes that are no text are base64; a WebSocket message of them is binary in both encodings. */
function bytesMember(key: string, bytes: Buffer, encoding: ItemEncoding, binaryKey = false): Members {
  if (isUtf8(bytes)) return { [key]: bytes.toString('utf8') };
  if (encoding === 'json') return { [`${key}-bin`]: bytes.toString('base64') };
  return { [binaryKey ? `${key}-bin` : key]: bytes };
}

/** What the flags and the content are to a format; `line` is the content with its newline. */
interface Publication {
  readonly content: Content;
  readonly line: Buffer;
  readonly encoding: ItemEncoding;
  /** `code` and `headers`. */
  readonly head: Members;
}

/** A format that the command publishes: those of Pushpin. */
type PublishedFormat = Exclude<FormatName, 'http-request' | 'xmpp-stanza'>;

/** How each format is published, as pushpin-publish does: whether `--close` is for it, and its content. */
const rows: Readonly<
  Record<PublishedFormat, { readonly closes: boolean; readonly send: (publication: Publication) => Members }>
> = {
  'http-response': {
    closes: false,
    send: ({ head, line, encoding }) => ({ ...head, ...bytesMember('body', line, encoding) }),
  },
  'http-stream': { closes: true, send: ({ line, encoding }) => bytesMember('content', line, encoding) },
  'ws-message': {
    closes: true,
    send: ({ content, encoding }) => bytesMember('content', content.bytes, encoding, true),
  },
};

const names = Object.keys(rows) as PublishedFormat[];

/** The formats of `names`, each with what `make` gives. */
function formatsWith(names: readonly PublishedFormat[], make: (name: PublishedFormat) => Members): Members {
  return Object.fromEntries(names.map((name) => [name, make(name)]));
}

function formatsOf(flags: PublishFlags, content: Content | undefined, encoding: ItemEncoding): Members {
  const { hint, close, header = [] } = flags;
  if (hint) return formatsWith(names, () => ({ action: 'hint' }));
  const closed = names.filter((name) => rows[name].closes);
  if (close) return formatsWith(closed, () => ({ action: 'close' }));
  if (content === undefined) throw wrong('must specify content');
  const headers = header.map((text) => pair(text, ':', 'header must be in the form "name: value"'));
  const head = { code: codeOf(flags), ...(headers.length > 0 && { headers }) };
  if (flags.patch) return { 'http-response': { ...head, 'body-patch': patchOf(content) } };
  const line = content.verbatim || !flags.eol ? content.bytes : Buffer.concat([content.bytes, newline]);
  return formatsWith(names, (name) => rows[name].send({ content, line, encoding, head }));
}

/**
 * The item, as the control API and ZeroMQ sockets take it. Content is needed unless `--hint` or `--close` is given, which
 * ignore it.
 * @throws PublishError ERR_PUBLISH_ARGUMENT
 */
export function buildItem(
  channel: string,
  flags: PublishFlags,
  content: Content | undefined,
  encoding: ItemEncoding,
): Members {
  const meta = metaOf(flags);
  const others = (flags.channel ?? []).filter((name) => name !== channel);
  return {
    ...(others.length === 0 ? { channel } : { channels: [channel, ...others] }),
    ...(flags.deliver !== undefined && { deliver: flags.deliver }),
    ...(flags.id !== undefined && { id: flags.id }),
    ...(flags.prevId !== undefined && { 'prev-id': flags.prevId }),
    formats: formatsOf(flags, content, encoding),
    ...(Object.keys(meta).length > 0 && { meta }),
    ...(!flags.seq && { 'no-seq': true }),
  };
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

async function post(url: URL, authorization: string | undefined, item: object): Promise<readonly string[]> {
  const body = JSON.stringify({ items: [item] });
  const headers = {
    'Content-Type': 'application/json',
    // In JSON an answer says more; what is no node of ours may have text only. Of what it knows, Pushpin takes the last, as we do.
    Accept: '*/*;q=0.1, text/plain;q=0.9, application/json',
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
  return notesIn(text);
}

/** What the receipt says that is worth a line; nothing where there is none, as of Pushpin. */
function notesIn(text: string): readonly string[] {
  const { items } = (readJson(text).value ?? {}) as { items?: unknown };
  const receipts: SaidReceipt[] = Array.isArray(items) ? items.slice(0, MAX_ITEM_CHANNELS).map(receiptIn) : [];
  const known = receipts.map(({ unreceived, duplicate }) => {
    const receipt: Writable<PublishReceipt> = { id: '', channel: '' };
    if (unreceived === true) receipt.unreceived = unreceived;
    if (duplicate === true) receipt.duplicate = duplicate;
    return receipt;
  });
  // Those of the item: they are the same for each of its channels.
  const warnings = receipts[0]?.warnings;
  const texts = Array.isArray(warnings) ? warnings.slice(0, MAX_ITEM_WARNINGS) : [];
  const shown = texts
    .filter((warning) => typeof warning === 'string')
    .map((warning) => `Warning: ${legible(warning)}.`);
  return [...receiptNotes(known), ...shown];
}

type SaidReceipt = { readonly [Key in keyof PublishReceipt]?: unknown };

function receiptIn(value: unknown): SaidReceipt {
  return typeof value === 'object' && value !== null ? value : {};
}

/** What an answer says, in one line: JSON of the control API with its detail, or text as it is. */
function saidIn(text: string): string {
  const { message, detail } = (readJson(text).value ?? {}) as { message?: unknown; detail?: unknown };
  if (typeof message !== 'string') return text;
  return typeof detail === 'string' ? `${message} ${detail}` : message;
}

/**
 * Sends an item that was built for this kind of destination. Resolves once the control API has answered that it is
 * published, with what its publisher should know; of ZeroMQ, which answers nothing, once it is on its way.
 * @throws PublishError, or the `ControlError` of the ZeroMQ socket
 */
async function sendItem(destination: Destination, item: object): Promise<readonly string[]> {
  if (destination.kind === 'http') return post(destination.url, destination.authorization, item);
  await pushPacket(destination.spec, encodeTnetstring(item));
  return [];
}

/**
 * Runs the command in this process; called by `holdfast publish` and by bin/pushpin-publish.js, with their own `name` for `--help`.
 * Prints `Published`, and on standard error that the item reached nobody or is a duplicate; or what `--help` and `--version` ask for; else one line of complaint, with exit status 1. Lets the process
 * end by itself, so that a ZeroMQ message is written out. Never rejects.
 */
export async function publishMain(name: string, argv: readonly string[]): Promise<void> {
  try {
    const line = parsePublishLine(argv, { name, version });
    if ('text' in line) return void process.stdout.write(line.text);
    const destination = destinationOf(line.flags, process.env.GRIP_URL, Date.now() / 1000);
    const encoding = destination.kind === 'http' ? 'json' : 'tnetstring';
    const { hint, close } = line.flags;
    const content = hint || close ? undefined : contentOf(line.content);
    const notes = await sendItem(destination, buildItem(line.channel, line.flags, content, encoding));
    process.stdout.write('Published\n');
    // Not on standard output, which scripts compare with what pushpin-publish prints.
    for (const note of notes) process.stderr.write(`${note}\n`);
  } catch (error) {
    process.stderr.write(`Error: ${userText(error)}\n`);
    process.exitCode = 1;
  }
}
