/** The `subscribe` target: what its properties say of tokens, channels and sites. */
import { ChannelPatterns, type JwksPlace } from '@holdfast/control-api';
import { channelNameFault, isLongName, isToken, type JwtKey, MAX_NAME_BYTES, readJwtKey } from '@holdfast/grip';
import { AllowedOrigins } from '../config/types/allowed-origins.js';
import { RoutesError } from '../errors.js';
import type { SubscribePropName } from './property-table.js';
import type { RouteSection } from './routes-file.js';

/** The built-in handler that holds clients by their tokens, without an origin. */
export interface SubscribeTarget {
  readonly kind: 'subscribe';
  readonly subs: readonly string[];
  /** Those whose signatures count; none where there is a key set, or no token counts. */
  readonly keys: readonly JwtKey[];
  readonly jwks: JwksPlace | undefined;
  /** `iss` and `aud` that tokens must have; undefined: not looked at. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Channels for everybody, without the route's prefix. */
  readonly publicChannels: ChannelPatterns | undefined;
  /** Sites whose pages may use it with the cookies of their users, beside the host's own. */
  readonly sites: AllowedOrigins;
  /** Whether pages of all other sites may use it too, without cookies. */
  readonly isForAnySite: boolean;
  /** The cookie that may have a token; undefined: none. */
  readonly cookie: string | undefined;
  /** The parameter of the query that may have a token, and whether it counts: it is kept out of logs in any case. */
  readonly query: TokenParameter;
}

/** A parameter of the query that may have a token. */
export interface TokenParameter {
  readonly name: string;
  readonly counts: boolean;
}

/**
 * Keys of one target: each may be tried for each token.
 *
 * @limit {} keys of a `subscribe` target
 * @over an error of the routes
 */
const MAX_KEYS = 8;

/** Turns the text of `token_key` into a key, and reads the file of `token_jwks_ca`. Each throws when that cannot be used. */
export interface TokenKeyReader {
  key(text: string): JwtKey;
  certificates(path: string): string;
}

/** Without files. */
export const readInlineKeys: TokenKeyReader = {
  key: (text) => (text.startsWith('file:') ? noFiles() : readJwtKey(text)),
  certificates: noFiles,
};

function noFiles(): never {
  throw new Error('files are not read here');
}

/** Understands the section. @throws RoutesError */
export function toSubscribeTarget(
  section: RouteSection,
  line: number,
  channelNameMax: number,
  reader: TokenKeyReader,
): SubscribeTarget {
  return new Reading(section, line, channelNameMax, reader).target();
}

class Reading {
  readonly #props: RouteSection['props'];
  readonly #column: number;
  readonly #line: number;
  readonly #nameMax: number;
  readonly #reader: TokenKeyReader;

  constructor({ props, column }: RouteSection, line: number, nameMax: number, reader: TokenKeyReader) {
    this.#props = props;
    this.#column = column;
    this.#line = line;
    this.#nameMax = nameMax;
    this.#reader = reader;
  }

  target(): SubscribeTarget {
    const keys = this.#keys();
    const jwks = this.#jwks();
    const publicChannels = this.#channels();
    if (keys.length === 0 && jwks === undefined && publicChannels === undefined)
      throw this.#error('a subscribe target needs token_key, token_jwks or public_channels');
    if (keys.length > 0 && jwks !== undefined) throw this.#error('token_jwks cannot be given together with token_key');
    const issuer = this.#filled('token_iss');
    if (jwks !== undefined && issuer === undefined)
      throw this.#error('token_jwks needs token_iss, which says whose tokens they are');
    return {
      kind: 'subscribe',
      subs: this.#all('sub'),
      keys,
      jwks,
      issuer,
      audience: this.#filled('token_aud'),
      publicChannels,
      ...this.#sites(),
      cookie: this.#cookie(),
      query: this.#query(),
    };
  }

  #keys(): readonly JwtKey[] {
    const texts = this.#all('token_key');
    if (texts.length > MAX_KEYS) throw this.#error(`more than ${MAX_KEYS} token_key`);
    return texts.map((text) => this.#keyed('token_key', () => this.#reader.key(text)));
  }

  #jwks(): JwksPlace | undefined {
    const url = this.#filled('token_jwks');
    const path = this.#filled('token_jwks_ca');
    if (path !== undefined && url === undefined) throw this.#error('token_jwks_ca is given, and no token_jwks');
    if (url === undefined) return undefined;
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    // The log names the URL.
    if (parsed?.protocol !== 'https:' || parsed.username !== '' || parsed.password !== '')
      throw this.#error('token_jwks must be an https URL without credentials');
    const ca = path === undefined ? undefined : this.#keyed('token_jwks_ca', () => this.#reader.certificates(path));
    if (ca?.includes('BEGIN CERTIFICATE') === false) throw this.#error(`token_jwks_ca: ${path} holds no certificate`);
    return { url, ca };
  }

  #channels(): ChannelPatterns | undefined {
    const patterns = this.#list('public_channels');
    if (patterns === undefined) return undefined;
    if (patterns.length === 0) throw this.#error('public_channels must name at least one channel');
    if (patterns.some(isLongName))
      throw this.#error(`a channel of public_channels has more than ${MAX_NAME_BYTES} bytes`);
    for (const pattern of patterns) {
      const fault = channelNameFault(pattern, this.#nameMax);
      if (fault !== undefined) throw this.#error(fault);
    }
    return new ChannelPatterns(patterns);
  }

  #sites(): Pick<SubscribeTarget, 'sites' | 'isForAnySite'> {
    const entries = this.#list('allow_origin') ?? [];
    if (entries.length === 0 && this.#has('allow_origin')) throw this.#error('allow_origin names no origin');
    try {
      return {
        sites: new AllowedOrigins(entries.filter((entry) => entry !== '*')),
        isForAnySite: entries.includes('*'),
      };
    } catch (error) {
      throw this.#error(`allow_origin: ${(error as Error).message}`);
    }
  }

  #query(): TokenParameter {
    const name = this.#filled('token_query') ?? 'holdfast-token';
    if (!/^[\w.~-]+$/.test(name)) throw this.#error('token_query is no name of letters, digits, `_`, `.`, `~` and `-`');
    return { name, counts: this.#has('token_query') };
  }

  /** Empty for none. */
  #cookie(): string | undefined {
    if (!this.#has('token_cookie')) return 'holdfast_token';
    const name = this.#filled('token_cookie');
    if (name !== undefined && !isToken(name)) throw this.#error('token_cookie is no name of a cookie');
    return name;
  }

  #keyed<Read>(name: SubscribePropName, read: () => Read): Read {
    try {
      return read();
    } catch (cause) {
      const at = { line: this.#line, column: this.#props.find((prop) => prop.name === name)?.column ?? this.#column };
      throw new RoutesError(`${name}: ${(cause as Error).message}`, at, { code: 'ERR_CONFIG_KEY', cause });
    }
  }

  #has(name: SubscribePropName): boolean {
    return this.#props.some((prop) => prop.name === name);
  }

  #all(name: SubscribePropName): string[] {
    return this.#props.flatMap((prop) => (prop.name === name && prop.value ? [prop.value] : []));
  }

  #filled(name: SubscribePropName): string | undefined {
    return this.#all(name).at(-1);
  }

  /** `a|b`, or the property repeated; undefined when it is not there. */
  #list(name: SubscribePropName): string[] | undefined {
    if (!this.#has(name)) return undefined;
    return this.#all(name)
      .flatMap((value) => value.split('|'))
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }

  #error(reason: string): RoutesError {
    return new RoutesError(reason, { line: this.#line, column: this.#column });
  }
}
