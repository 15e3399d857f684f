/** The item that `holdfast publish` sends, made of flags and content: for JSON and for tnetstrings. */
import { isUtf8 } from 'node:buffer';
import { type FormatName, formatNames, readJsonBytes } from '@holdfast/grip';
import type { PublishFlags } from '../config/command-line.js';
import { PublishError } from '../errors.js';

/** What goes into the item. `verbatim` content gets no newline: it came from a file. */
export interface Content {
  readonly bytes: Buffer;
  readonly verbatim: boolean;
}

/** How the item will be encoded: JSON has no byte strings. */
export type ItemEncoding = 'json' | 'tnetstring';

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

/** How each format is published, as pushpin-publish does: whether `--close` is for it, and its content. */
const rows: Readonly<
  Record<FormatName, { readonly closes: boolean; readonly send: (publication: Publication) => Members }>
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

/** The formats of `names`, each with what `make` gives. */
function formatsWith(names: readonly FormatName[], make: (name: FormatName) => Members): Members {
  return Object.fromEntries(names.map((name) => [name, make(name)]));
}

function formatsOf(flags: PublishFlags, content: Content | undefined, encoding: ItemEncoding): Members {
  const { hint, close, header = [] } = flags;
  if (hint) return formatsWith(formatNames, () => ({ action: 'hint' }));
  const closed = formatNames.filter((name) => rows[name].closes);
  if (close) return formatsWith(closed, () => ({ action: 'close' }));
  if (content === undefined) throw wrong('must specify content');
  const headers = header.map((text) => pair(text, ':', 'header must be in the form "name: value"'));
  const head = { code: codeOf(flags), ...(headers.length > 0 && { headers }) };
  if (flags.patch) return { 'http-response': { ...head, 'body-patch': patchOf(content) } };
  const line = content.verbatim || !flags.eol ? content.bytes : Buffer.concat([content.bytes, newline]);
  return formatsWith(formatNames, (name) => rows[name].send({ content, line, encoding, head }));
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
  return {
    channel,
    ...(flags.id !== undefined && { id: flags.id }),
    ...(flags.prevId !== undefined && { 'prev-id': flags.prevId }),
    formats: formatsOf(flags, content, encoding),
    ...(Object.keys(meta).length > 0 && { meta }),
    ...(!flags.seq && { 'no-seq': true }),
  };
}
