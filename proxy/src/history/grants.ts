/**
 * The tokens by which the client of an event stream comes back without its origin being asked: what the origin has granted, sealed, and
 * bound to the request that it was granted to.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { Revocations } from '@holdfast/control-api';
import { type Expires, headerValue, headerValues, type Instruct, type RawHeaders, readJsonBytes } from '@holdfast/grip';
import { isUserName } from '../channels/users.js';
import type { ClientRequest } from '../edge/port.js';
import type { Route } from '../routes/route.js';
import { type Clock, ROUNDING_MS } from '../runtime/clock.js';
import type { ReplayDeps } from './replay.js';

/**
 * Characters of one: it has to fit into a field of a request, and into a cookie.
 *
 * @limit {} characters of a token by which a stream comes back without its origin
 * @over the stream gets none
 */
export const MAX_GRANT = 3_800;

/** The field that a client gets it in, and sends it back in. */
export const GRANT_FIELD = 'Holdfast-Resume-Token';

/** The cookie, for clients that can set no field. */
const COOKIE = 'holdfast_resume';

const SALT_BYTES = 16;
const TAG_BYTES = 16;
/** A key of its own for each token: its nonce may always be the same. */
const NONCE = Buffer.alloc(12);
const CIPHER = 'aes-256-gcm';

/** A name for a stream that has no user. */
const ANYBODY = '-';

/** What a stream was granted. */
export interface Grant {
  /** `Route.key`. */
  readonly route: string;
  /** In ms since the epoch. */
  readonly until: number;
  /** In s since the epoch. */
  readonly issued: number;
  /** The member `hold` of an instruct; it ends when the first one would have ended. */
  readonly hold: { readonly meta?: Readonly<Record<string, string>>; readonly expires?: string };
  /** Its member `response`. */
  readonly response: object;
}

/** What grants are made and read with. */
export interface ResumeGrantsOptions {
  readonly key: Buffer;
  readonly replay: Pick<ReplayDeps, 'tokens' | 'isOn'>;
  readonly clock: Pick<Clock, 'wall'>;
  readonly revocations: Pick<Revocations, 'covers'>;
  /** Longest time that one counts, in ms. */
  readonly tokenLifetimeMax: number;
}

/** Writes and reads grants: a node reads those of every other that has the same key. */
export class ResumeGrants {
  readonly #options: ResumeGrantsOptions;
  readonly #key: Buffer;

  constructor(options: ResumeGrantsOptions) {
    this.#options = options;
    this.#key = createHmac('sha256', options.key).update('holdfast grant').digest();
  }

  /**
   * The fields that give a client the token of what its origin has granted: none where it did not ask for one, or the stream cannot be
   * continued from the history.
   */
  fieldsFor(instruct: Instruct, request: ClientRequest, route: Route, isSecure: boolean): RawHeaders {
    const { resumeToken: wish, hold, links, meta, response } = instruct;
    const { replay, clock, tokenLifetimeMax } = this.#options;
    const type = headerValue(response.headers, 'content-type') ?? '';
    if (wish === undefined || hold?.mode !== 'stream' || links.next !== undefined) return [];
    // The history is one of channels; and by its user what is held is found that is to be ended.
    if (hold.channels.some(({ isPattern }) => isPattern) || !isUserName(meta.user ?? ANYBODY)) return [];
    if (!/^text\/event-stream\b/i.test(type) || request.method !== 'GET' || !replay.isOn(route)) return [];
    const now = clock.wall();
    const end = endOf(hold.expires, now);
    const until = Math.min(now + Math.min(wish.ttl * 1_000, tokenLifetimeMax), end);
    if (until <= now) return [];
    const token = this.#seal(
      {
        route: route.key,
        until,
        issued: Math.floor(now / 1_000),
        hold: {
          mode: 'stream',
          channels: hold.channels.map(({ name, filters }) => ({ name, filters })),
          ...(hold.keepAlive && {
            'keep-alive': {
              'content-bin': hold.keepAlive.content.toString('base64'),
              timeout: hold.keepAlive.timeout,
              mode: hold.keepAlive.mode,
            },
          }),
          ...(end < Number.POSITIVE_INFINITY && { expires: new Date(end).toUTCString() }),
          meta: { ...meta },
        },
        response: { code: response.code, headers: kept(response.headers), body: ':\n\n' },
      } as Grant,
      bondOf(request),
    );
    if (token.length > MAX_GRANT) return [];
    if (!wish.cookie) return [GRANT_FIELD, token];
    const path = request.path.split('?', 1)[0] as string;
    if (/[;,\s]/.test(path)) return [];
    const age = Math.floor((until - now) / 1_000);
    const cookie = `${COOKIE}=${token}; Path=${path}; Max-Age=${age}; HttpOnly; SameSite=Lax`;
    return ['Set-Cookie', isSecure ? `${cookie}; Secure` : cookie];
  }

  /** What a client comes back to: undefined unless it has a token that counts, and an id from which it can be continued. */
  find(request: ClientRequest, route: Route): Grant | undefined {
    const { replay, clock, revocations } = this.#options;
    if (request.method !== 'GET' || !replay.isOn(route)) return undefined;
    const lastEventId = headerValue(request.headers, 'last-event-id');
    if (lastEventId === undefined) return undefined;
    const token = headerValue(request.headers, GRANT_FIELD.toLowerCase()) ?? cookieIn(request.headers);
    if (token === undefined || replay.tokens.read(lastEventId) === undefined) return undefined;
    const grant = this.#open(token, bondOf(request));
    if (grant === undefined || grant.route !== route.key || clock.wall() + ROUNDING_MS >= grant.until) return undefined;
    return revocations.covers(grant.hold.meta?.user ?? '', grant.issued) ? undefined : grant;
  }

  #seal(grant: Grant, bond: Buffer): string {
    const salt = randomBytes(SALT_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keyOf(salt), NONCE).setAAD(bond);
    const sealed = Buffer.concat([cipher.update(JSON.stringify(grant), 'utf8'), cipher.final()]);
    return Buffer.concat([salt, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  #open(token: string, bond: Buffer): Grant | undefined {
    if (token.length > MAX_GRANT || !/^[\w-]+$/.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    const start = SALT_BYTES + TAG_BYTES;
    if (bytes.length <= start) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#keyOf(bytes.subarray(0, SALT_BYTES)), NONCE, {
      authTagLength: TAG_BYTES,
    }).setAAD(bond);
    decipher.setAuthTag(bytes.subarray(SALT_BYTES, start));
    try {
      const plain = Buffer.concat([decipher.update(bytes.subarray(start)), decipher.final()]);
      return readJsonBytes(plain).value as Grant;
    } catch {
      return undefined; // sealed with another key, for another request, or changed
    }
  }

  #keyOf(salt: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(salt).digest();
  }
}

/** The last whole second of what the origin has granted, in ms since the epoch: later the origin is asked. Infinite where it has not said. */
function endOf(expires: Expires | undefined, now: number): number {
  if (expires === undefined) return Number.POSITIVE_INFINITY;
  const end = 'date' in expires ? expires.date : now + expires.seconds * 1_000;
  return Math.floor(end / 1_000) * 1_000;
}

/**
 * What a request must have in common with the one that the origin answered: its URL, and all by which the origin may have known its
 * client. After another login the origin is asked.
 */
function bondOf({ host, path, headers }: ClientRequest): Buffer {
  const cookies = headerValues(headers, 'cookie')
    .flatMap((value) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => !pair.startsWith(`${COOKIE}=`));
  const parts = [host, path, headerValues(headers, 'authorization'), headerValues(headers, 'origin'), cookies];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

function cookieIn(headers: RawHeaders): string | undefined {
  const pairs = headerValues(headers, 'cookie').flatMap((value) => value.split(';'));
  const found = pairs.map((pair) => pair.trim()).find((pair) => pair.startsWith(`${COOKIE}=`));
  return found?.slice(COOKIE.length + 1);
}

/** Fields that are not to be sent a second time. */
const ONCE = new Set(['set-cookie', 'last-event-id', 'date', 'age', 'etag', 'expires']);

function kept(headers: RawHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2)
    if (!ONCE.has((headers[i] as string).toLowerCase()))
      pairs.push([headers[i] as string, Buffer.from(headers[i + 1] as string, 'latin1').toString('utf8')]);
  return pairs;
}
