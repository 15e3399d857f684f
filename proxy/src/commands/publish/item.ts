/**
 * The item that `holdfast publish` sends.
 *
 * Owns: flags and content ⇒ the value of an item, for JSON and for tnetstrings. Does not own: where it goes.
 */
import { isUtf8 } from 'node:buffer';
import { readJsonBytes } from '@holdfast/grip';
import type { PublishFlags } from '../../config/flags/command-flags.js';
import { PublishError } from './errors.js';

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

function formatsOf(flags: PublishFlags, content: Content | undefined, encoding: ItemEncoding): Members {
  const { hint, close, header = [] } = flags;
  const action = (name: string) => ({ action: name });
  if (hint) return { 'http-response': action('hint'), 'http-stream': action('hint'), 'ws-message': action('hint') };
  if (close) return { 'http-stream': action('close'), 'ws-message': action('close') };
  if (content === undefined) throw wrong('must specify content');
  const headers = header.map((text) => pair(text, ':', 'header must be in the form "name: value"'));
  const head = { code: codeOf(flags), ...(headers.length > 0 && { headers }) };
  if (flags.patch) return { 'http-response': { ...head, 'body-patch': patchOf(content) } };
  const line = content.verbatim || !flags.eol ? content.bytes : Buffer.concat([content.bytes, newline]);
  return {
    'http-response': { ...head, ...bytesMember('body', line, encoding) },
    'http-stream': bytesMember('content', line, encoding),
    'ws-message': bytesMember('content', content.bytes, encoding, true),
  };
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
