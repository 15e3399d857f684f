/**
 * Owns: the certificates of TLS listeners: which file serves which name, and re-reading files that change.
 * Does not own: the listeners. File names are Pushpin's: `<domain>.crt`/`.key`, `_.<parent>.crt` for a wildcard,
 * `default_<port>.crt` for clients that name no known server.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { EdgeError } from './errors.js';

/** A certificate (chain) and its key in PEM, and the context made of them. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly context: SecureContext;
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

/** Names that may become file names: no path separators, no leading dot. */
const SERVER_NAME = /^[a-z0-9_]([a-z0-9._-]*)$/;

/** Certificates in one directory, each read when first asked for and again when its file's time or size changes. */
export class TlsCertificates {
  readonly #directory: string;
  readonly #onFault: (error: EdgeError) => void;
  readonly #loaded = new Map<string, Loaded>();

  /** `onFault` hears once of each changed file that cannot be used; the certificate read before stays in use. */
  constructor(directory: string, onFault: (error: EdgeError) => void) {
    this.#directory = directory;
    this.#onFault = onFault;
  }

  /** The certificate for a server name: exact, then wildcard of its parent, then the port's default; else undefined. */
  find(serverName: string, port: number): KeyPair | undefined {
    const name = serverName.toLowerCase();
    if (SERVER_NAME.test(name)) {
      const exact = this.#load(name);
      if (exact !== undefined) return exact;
      const dot = name.indexOf('.');
      const wildcard = dot < 0 ? undefined : this.#load(`_${name.slice(dot)}`);
      if (wildcard !== undefined) return wildcard;
    }
    return this.default(port);
  }

  /** The certificate for clients of this port that give no name, or an unknown one. */
  default(port: number): KeyPair | undefined {
    return this.#load(`default_${port}`);
  }

  /** The server names right below a parent that have certificates of their own, as far as their files can be seen. */
  namesBelow(parent: string): readonly string[] {
    const end = `.${parent}.crt`;
    return filesIn(this.#directory).flatMap((file) => {
      const label = file.endsWith(end) ? file.slice(0, -end.length) : '';
      return label === '_' || label.includes('.') || !SERVER_NAME.test(label) ? [] : [`${label}.${parent}`];
    });
  }

  #load(base: string): KeyPair | undefined {
    const certificate = join(this.#directory, `${base}.crt`);
    const key = join(this.#directory, `${base}.key`);
    const known = this.#loaded.get(base);
    const stamp = stampOf(certificate, key);
    if (stamp === undefined) return known?.pair;
    if (known !== undefined && known.stamp === stamp) return known.pair;
    try {
      const pem = { cert: readFileSync(certificate), key: readFileSync(key) };
      const pair = { ...pem, context: createSecureContext(pem), base, certFile: certificate, keyFile: key };
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

/** None when the directory cannot be read: it may have gone since its certificates were. */
function filesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Changes whenever either file does; undefined when one is missing. */
function stampOf(certificate: string, key: string): string | undefined {
  const a = statSync(certificate, { throwIfNoEntry: false });
  const b = statSync(key, { throwIfNoEntry: false });
  return a && b ? `${a.mtimeMs}/${a.size}/${a.ino}/${b.mtimeMs}/${b.size}/${b.ino}` : undefined;
}
