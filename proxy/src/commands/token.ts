/** The `holdfast token` command: it prints a token (JWT) for the control API, signed with a key. */
import { controlActions, DETAIL_TYPE, isAction } from '@holdfast/control-api';
import { type JwtKey, readJwtKey } from '@holdfast/grip';
import type { TokenFlags } from '../config/command-flags.js';
import { parseTokenLine } from '../config/command-line.js';
import { readWhole, SECRET_FILE_MAX, whyUnread } from '../config/files/read-file.js';
import { parseDuration } from '../config/parse-option.js';
import { TokenError, userText } from '../errors.js';
import { version } from '../package-files.js';
import { keyText } from './destination.js';

/** Longest life of a token that is made here, in seconds: one that is lost must end. */
const MAX_TTL_S = 366 * 86_400;

function wrong(message: string): TokenError {
  return new TokenError('ERR_TOKEN_ARGUMENT', message);
}

/**
 * Makes a token that is valid from `now` on, which is in unix seconds. What flags leave out comes from the GRIP URL.
 * @throws TokenError
 */
function makeToken(flags: TokenFlags, gripUrl: string | undefined, now: number): string {
  const query = gripUrl !== undefined && URL.canParse(gripUrl) ? new URL(gripUrl).searchParams : new URLSearchParams();
  const iss = flags.iss ?? query.get('iss') ?? undefined;
  if (iss === undefined || iss === '') throw wrong('--iss is missing: the iss of the key');
  const key = readKey(keyOf(flags, query));
  const details = detailsOf(flags);
  const claims = {
    iss,
    ...(flags.sub !== undefined && { sub: flags.sub }),
    ...(flags.aud !== undefined && { aud: flags.aud }),
    exp: Math.floor(now) + ttlOf(flags),
    ...(details !== undefined && { authorization_details: [details] }),
  };
  try {
    return key.sign(claims, flags.kid);
  } catch (cause) {
    throw new TokenError('ERR_TOKEN_KEY', (cause as Error).message, { cause });
  }
}

function keyOf({ key, keyFile }: TokenFlags, query: URLSearchParams): string {
  if (key !== undefined && keyFile !== undefined) throw wrong('--key and --key-file cannot be given together');
  if (keyFile !== undefined) return contentOf(keyFile);
  const text = key ?? keyText(query);
  if (text === undefined || text === '') throw wrong('--key-file or --key is missing, and $GRIP_URL has no key');
  if (text.startsWith('file:')) throw wrong('a key in a file is given by --key-file');
  return text;
}

function contentOf(path: string): string {
  try {
    return readWhole(path, SECRET_FILE_MAX)
      .toString('utf8')
      .replace(/\r?\n$/, '');
  } catch (cause) {
    throw new TokenError('ERR_TOKEN_KEY', `cannot read ${path}: ${whyUnread(cause)}`, { cause });
  }
}

function readKey(text: string): JwtKey {
  try {
    return readJwtKey(text);
  } catch (cause) {
    throw new TokenError('ERR_TOKEN_KEY', (cause as Error).message, { cause });
  }
}

function ttlOf({ ttl = '10m' }: TokenFlags): number {
  const seconds = Math.floor(parseDuration(ttl, 's') ?? 0);
  if (seconds >= 1 && seconds <= MAX_TTL_S) return seconds;
  throw wrong(`--ttl: expected a time from 1s to ${MAX_TTL_S / 3_600}h, got ${JSON.stringify(ttl)}`);
}

/** What the token takes of its key's rights; undefined: all. */
function detailsOf({ allow, channels }: TokenFlags): object | undefined {
  if (allow === undefined && channels === undefined) return undefined;
  const actions = allow === undefined ? undefined : list('--allow', allow);
  const unknown = actions?.find((action) => !isAction(action));
  if (unknown !== undefined) throw wrong(`--allow: ${JSON.stringify(unknown)} is none of ${controlActions.join(', ')}`);
  return {
    type: DETAIL_TYPE,
    ...(actions !== undefined && { actions }),
    ...(channels !== undefined && { channels: list('--channels', channels) }),
  };
}

/** An empty list would be a token for nothing, which nobody means. */
function list(flag: string, text: string): readonly string[] {
  const pieces = text
    .split(',')
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
  if (pieces.length === 0) throw wrong(`${flag}: expected a comma-separated list`);
  return pieces;
}

/** Runs the command in this process. On failure it prints one line of complaint, with exit status 1. Never throws. */
export function tokenMain(argv: readonly string[]): void {
  const { stdout, stderr, env } = process;
  try {
    const line = parseTokenLine(argv, version);
    stdout.write('text' in line ? line.text : `${makeToken(line.flags, env.GRIP_URL, Date.now() / 1_000)}\n`);
  } catch (error) {
    stderr.write(`Error: ${userText(error)}\n`);
    process.exitCode = 1;
  }
}
