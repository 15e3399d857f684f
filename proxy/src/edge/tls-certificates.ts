/** The certificates of TLS listeners: which file serves which name, and reading files again when they change. */
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { EdgeError } from '../errors.js';
import { TlsPolicy } from './tls-policy.js';

/**
 * Longest host name, in characters, without its root's dot (RFC 1035 §2.3.4).
 *
 * @limit {} characters of a server name (TLS), 63 of a label; letters, digits, hyphens and dots
 * @over the name counts as unknown: the port's default certificate
 */
export const MAX_SERVER_NAME = 253;

/** One label in lower case (RFC 1123 §2.1): letters, digits and hyphens, none of them at an end, 63 at most. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether this is one label of a host name, in lower case. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/**
 * Whether this is a host name, in lower case. Only such a name may be made part of a path or of anything that lasts: server
 * names are what a client has sent, of any length and with any bytes.
 */
export function isServerName(name: string): boolean {
  return name.length <= MAX_SERVER_NAME && name.split('.').every(isLabel);
}

/** A certificate (chain) and its key in PEM, and the context made of them. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly context: SecureContext;
  /** What the context was made of. */
  readonly options: SecureContextOptions;
  /** What the names of its files begin with: a server name, `_.<parent>` or `default_<port>`. */
  readonly base: string;
  readonly certFile: string;
  readonly keyFile: string;
}

interface Loaded {
  readonly stamp: string;
  /** Undefined when the files cannot be used and no earlier ones could. */
  readonly pair: KeyPair | undefined;
}

/** How old a change of the directory must be, in ms, before its list of names is kept: file systems round times. */
const SETTLE_MS = 2_000;

/**
 * Certificates in one directory, by Pushpin's names: `<domain>.crt`/`.key`, `_.<parent>.crt` for a wildcard, `default_<port>.crt`
 * for clients that name no known server. Each is read when first asked for and again when its file's time or size changes. Names
 * come from clients: one without a file costs a look at the directory's own time, and leaves nothing behind.
 */
export class TlsCertificates {
  /** What holds for all of them. */
  readonly policy: TlsPolicy;
  readonly #directory: string;
  readonly #onFault: (error: EdgeError) => void;
  readonly #onMissing: (serverName: string, port: number) => void;
  /** By what their files' names begin with: no more than there were files. */
  readonly #loaded = new Map<string, Loaded>();
  #listed: { readonly stamp: string; readonly bases: ReadonlySet<string> } | undefined;

  /**
   * `onFault` is called once for each changed file that cannot be used; the certificate read before stays in use. `onMissing` is
   * called for every client that is turned away because there is no certificate for its server name.
   */
  constructor(
    directory: string,
    onFault: (error: EdgeError) => void,
    onMissing: (serverName: string, port: number) => void = () => {},
    policy = TlsPolicy.usual,
  ) {
    this.policy = policy;
    this.#directory = directory;
    this.#onFault = onFault;
    this.#onMissing = onMissing;
  }

  /** The certificate for a server name: exact, then wildcard of its parent, then the port's default; else undefined. */
  find(serverName: string, port: number): KeyPair | undefined {
    const name = serverName.toLowerCase();
    // One look at the directory for all three: each costs a system call, for every handshake.
    const bases = this.#bases();
    if (isServerName(name)) {
      const exact = this.#load(name, bases);
      if (exact !== undefined) return exact;
      const dot = name.indexOf('.');
      const wildcard = dot < 0 ? undefined : this.#load(`_.${name.slice(dot + 1)}`, bases);
      if (wildcard !== undefined) return wildcard;
    }
    const pair = this.#load(`default_${port}`, bases);
    if (pair === undefined) this.#onMissing(name, port);
    return pair;
  }

  /** The certificate for all names right below a parent, which is in lower case. */
  wildcard(parent: string): KeyPair | undefined {
    return isServerName(parent) ? this.#load(`_.${parent}`) : undefined;
  }

  /** The certificate for clients of this port that give no name, or an unknown one. */
  default(port: number): KeyPair | undefined {
    return this.#load(`default_${port}`);
  }

  /** The server names right below a parent that have certificates of their own, as far as their files can be seen. */
  namesBelow(parent: string): readonly string[] {
    const end = `.${parent}`;
    return [...(this.#bases() ?? [])].filter((base) => base.endsWith(end) && isLabel(base.slice(0, -end.length)));
  }

  /** What the names of certificate files begin with; undefined when the directory cannot be listed. */
  #bases(): ReadonlySet<string> | undefined {
    const directory = look(this.#directory);
    if (directory === undefined) return undefined;
    const stamp = `${directory.mtimeMs}/${directory.ctimeMs}/${directory.ino}/${directory.dev}`;
    if (this.#listed?.stamp === stamp) return this.#listed.bases;
    const bases = basesIn(this.#directory);
    // A time in the future is that of a clock that was set back since, and as good as an old one.
    const isSettled = Math.abs(Date.now() - Math.max(directory.mtimeMs, directory.ctimeMs)) > SETTLE_MS;
    this.#listed = bases !== undefined && isSettled ? { stamp, bases } : undefined;
    return bases;
  }

  #load(base: string, bases = this.#bases()): KeyPair | undefined {
    const known = this.#loaded.get(base);
    if (bases?.has(base) === false) return known?.pair;
    const certificate = join(this.#directory, `${base}.crt`);
    const key = join(this.#directory, `${base}.key`);
    const files = stampOf(certificate, key);
    if (files === undefined) return known?.pair;
    const { terms } = this.policy;
    const stamp = `${files}/${terms.stamp}`;
    if (known !== undefined && known.stamp === stamp) return known.pair;
    try {
      const pem = { cert: readFileSync(certificate), key: readFileSync(key) };
      const options = { ...terms.context, ...pem };
      const context = createSecureContext(options);
      const pair = { ...pem, context, options, base, certFile: certificate, keyFile: key };
      this.#loaded.set(base, { stamp, pair });
      return pair;
    } catch (cause) {
      this.#loaded.set(base, { stamp, pair: known?.pair });
      this.#onFault(
        new EdgeError('ERR_EDGE_CERTIFICATE', `cannot use ${certificate}: ${(cause as Error).message}`, { cause }),
      );
      return known?.pair;
    }
  }
}

/** Undefined when the directory may not be read: then each name is looked up by itself. */
function basesIn(directory: string): ReadonlySet<string> | undefined {
  try {
    const files = readdirSync(directory).filter((file) => file.endsWith('.crt'));
    return new Set(files.map((file) => file.slice(0, -'.crt'.length)));
  } catch {
    return undefined;
  }
}

/** Changes whenever either file does; undefined when one is missing. */
function stampOf(certificate: string, key: string): string | undefined {
  const a = look(certificate);
  const b = look(key);
  return a && b ? `${a.mtimeMs}/${a.size}/${a.ino}/${b.mtimeMs}/${b.size}/${b.ino}` : undefined;
}

/** Undefined for what is not there, and for what may not be looked at, or cannot: a path that is too long, or no directory. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
