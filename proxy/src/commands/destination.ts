/** Where `holdfast publish` publishes to, and where `holdfast tap` asks, and as whom: a GRIP URL or a ZeroMQ spec. */
import { signGripSig } from '@holdfast/grip';
import type { PublishFlags } from '../config/command-flags.js';
import { KeyReader } from '../config/files/read-file.js';
import { PublishError } from '../errors.js';

/** A ZeroMQ PULL socket, or the control API: the complete URL, and the value of Authorization if there is one. */
export type Destination =
  | { readonly kind: 'zeromq'; readonly spec: string }
  | { readonly kind: 'http'; readonly url: URL; readonly authorization: string | undefined };

/** What flags say of who asks; goes before what the URL says. */
export type Credentials = Pick<PublishFlags, 'user' | 'bearer'>;

/** Where a node of our own on this machine, or Pushpin, takes publishes. */
export const DEFAULT_CONTROL = 'http://localhost:5561';

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function wrong(message: string, cause?: unknown): PublishError {
  return new PublishError('ERR_PUBLISH_ARGUMENT', message, { cause });
}

/** The key of a GRIP URL. A `+` in a query means a space, but base64 has it, and people put keys into URLs as they are. */
export function keyText(query: URLSearchParams): string | undefined {
  const key = query.get('key') ?? undefined;
  return key?.startsWith('base64:') ? key.replaceAll(' ', '+') : key;
}

/** `iss` and `key` make a token signed with the key; `key` alone is the token. */
function tokenOf(query: URLSearchParams, now: number): string | undefined {
  const iss = query.get('iss') ?? undefined;
  const key = keyText(query);
  if (key === undefined || key === '') return undefined;
  if (iss === undefined) return key;
  try {
    const parsed = new KeyReader('.').read(key, 'sign');
    return parsed === undefined ? undefined : signGripSig(iss, parsed, now);
  } catch (cause) {
    throw wrong(`key in the GRIP URL: ${(cause as Error).message}`, cause);
  }
}

const basic = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;

function plainAuthorization(url: URL, { user, bearer }: Credentials): string | undefined {
  if (bearer !== undefined) return `Bearer ${bearer}`;
  if (user !== undefined) return basic(user);
  if (url.username === '' && url.password === '') return undefined;
  return basic(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`);
}

function authorizationOf(url: URL, flags: Credentials, now: number): string | undefined {
  const plain = plainAuthorization(url, flags);
  if (plain === undefined) {
    const token = tokenOf(url.searchParams, now);
    return token === undefined ? undefined : `Bearer ${token}`;
  }
  if (url.protocol !== 'https:' && !loopback.test(url.hostname)) throw wrong('Authentication requires https');
  return plain;
}

/**
 * Reads `--spec`, or what stands in its place. A URL is a GRIP URL: the base of the control API with `iss` and `key`, as
 * GRIP libraries take it; what is given by `--user` or `--bearer` goes before it. `now` is in unix seconds.
 * @throws PublishError ERR_PUBLISH_ARGUMENT
 */
export function destinationOf(flags: PublishFlags, gripUrl: string | undefined, now: number): Destination {
  const spec = flags.spec ?? (gripUrl || DEFAULT_CONTROL);
  if (/^(tcp|ipc):/.test(spec)) return { kind: 'zeromq', spec };
  let url: URL;
  try {
    url = new URL(spec);
  } catch (cause) {
    throw wrong(`--spec: expected a URL or a ZeroMQ spec, got ${JSON.stringify(spec)}`, cause);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong(`--spec: unknown protocol ${url.protocol}`);
  return { kind: 'http', ...controlOf(url, flags, now, '/publish/') };
}

/**
 * A path of the control API whose GRIP URL this is, and the value of Authorization if there is one.
 * @throws PublishError ERR_PUBLISH_ARGUMENT
 */
export function controlOf(
  gripUrl: URL,
  credentials: Credentials,
  now: number,
  path: string,
): { readonly url: URL; readonly authorization: string | undefined } {
  const authorization = authorizationOf(gripUrl, credentials, now);
  const url = new URL(gripUrl.origin);
  url.pathname = gripUrl.pathname.replace(/\/+$/, '') + path;
  return { url, authorization };
}
