/** A node with keys of the control API, and requests to it. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJwtKey } from '@holdfast/grip';
import type { Test } from 'tap';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../../kit/origins/origin.js';

/** A key as it is, one that signs tokens, and one of operators. */
export const SECRET = 'a-literal-key-of-the-test-0123';
export const SIGNS = 'a-signing-key-of-the-test-4567';
export const OPS = 'a-key-of-operators-of-the-test';
/** A pair of keys that signs and checks tokens. */
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** The text of one of these. */
export const pemOf = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' } as never).toString();

/** The time for claims of tokens, so many seconds from now. */
export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
/** A token that is good for ten minutes, unless its claims say otherwise. */
export const token = (claims: object, key = SIGNS, kid?: string) =>
  readJwtKey(key).sign({ exp: inSeconds(600), ...claims }, kid);

/** A node with a keys file, JSON of which is YAML, and an origin that holds streams. */
export async function start(
  t: Test,
  entries: readonly object[],
  settings: Readonly<Record<string, string | number | boolean>> = {},
) {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, streamHold('room'));
    response.end('opened\n');
  });
  const directory = newDirectory(t);
  const file = join(directory, 'keys.yaml');
  const write = (next: readonly object[]) => {
    writeFileSync(`${file}.next`, `${JSON.stringify(next, undefined, 1)}\n`, { mode: 0o600 });
    renameSync(`${file}.next`, file);
  };
  write(entries);
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [`* ${origin.target}`],
    settings: { control_keys_file: 'keys.yaml', ...settings },
  });
  return { holdfast, file, write };
}

/** A request to the control API; its status, fields and text. */
export async function ask(
  holdfast: Holdfast,
  path: string,
  init: RequestInit & { readonly headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${holdfast.control}${path}`, init);
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

/** Publishes items with these fields; see {@link ask}. */
export const publish = (holdfast: Holdfast, headers: Record<string, string>, ...items: readonly object[]) =>
  ask(holdfast, '/publish/', { method: 'POST', headers, body: JSON.stringify({ items }) });

/** An item of a stream. */
export const item = (channel = 'room') => streamItem(channel, 'x\n');

/** Whether a line of the log has this text. */
export const isLog = (text: string) => (record: { readonly msg?: unknown }) => String(record.msg).includes(text);

/** One key of each form. */
export const entries = [
  { id: 'literal', key: SECRET, channels: ['room', 'app-*'] },
  { id: 'app', key: SIGNS, iss: 'app' },
  { id: 'bytes', key: `base64:${Buffer.from('some-other-secret-bytes').toString('base64')}`, iss: 'bytes' },
  { id: 'rsa', key: pemOf(rsa.publicKey), iss: 'rsa' },
  { id: 'ops', key: OPS, allow: ['view', 'tap', 'disconnect', 'recover', 'metrics'] },
];
