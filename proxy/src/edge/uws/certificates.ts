/** The certificates that a TLS listener of the uws edge presents, by server name. */

import { EdgeError } from '../../errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { KeyPair, TlsCertificates } from '../tls-certificates.js';
import { isServerName } from '../tls-certificates.js';
import { suitesIn, type TlsPolicy } from '../tls-policy.js';
import type { UwsCertificate, UwsLibrary } from './library.js';
import type { UwsListener } from './listener.js';

/** How often certificates in use are compared with their files, in ms. */
export const CHECK_MS = 10_000;

/**
 * Most names and patterns that are known with capital letters in them; clients write names without.
 *
 * @limit {} server names (TLS) that clients write with capital letters, on each listener
 * @over such a name counts as unknown
 */
const SPELLINGS_MAX = 100;

/**
 * Most labels of a name that the library finds again; one with more is served by the default certificate.
 *
 * @limit {} labels of a server name
 * @over such a name counts as unknown
 */
const LABELS_MAX = 10;

const isWildcard = ({ base }: KeyPair): boolean => base.startsWith('_.');

const filesOf = ({ certFile, keyFile }: KeyPair, { rules }: TlsPolicy): UwsCertificate => ({
  cert_file_name: certFile,
  key_file_name: keyFile,
  ...(rules.clientCa !== undefined && { ca_file_name: rules.clientCa }),
  ...(rules.ciphers !== undefined && { ssl_ciphers: suitesIn(rules.ciphers).join(':') }),
});

/**
 * The files for clients that name no known server. Without any, only named servers are served.
 * @throws EdgeError when nothing in the directory can be used
 */
export function defaultFiles(certificates: TlsCertificates, port: number): UwsCertificate {
  const pair = certificates.default(port);
  return pair === undefined ? {} : filesOf(pair, certificates.policy);
}

/**
 * Certificates by server name: each is added when a client first asks for it, and exchanged when its file changes. A wildcard
 * is added as such, so that no client can have more names than there are files. From then on the library does not ask for names
 * below it: those with certificates of their own are added with it, and looked for from time to time.
 */
export class UwsCertificates {
  readonly #listener: UwsListener;
  readonly #certificates: TlsCertificates;
  readonly #port: number;
  readonly #clock: Clock;
  /** By the names and patterns that the library has been given. */
  readonly #known = new Map<string, KeyPair>();
  #spellings = 0;
  #timer: Timer | undefined;

  constructor(listener: UwsListener, certificates: TlsCertificates, port: number, clock: Clock) {
    this.#listener = listener;
    this.#certificates = certificates;
    this.#port = port;
    this.#clock = clock;
    listener.app.missingServerName((name) => this.#add(name));
    this.#watch();
  }

  close(): void {
    this.#clock.clear(this.#timer);
  }

  #add(name: string): void {
    if (!isServerName(name.toLowerCase())) return;
    const pair = this.#certificates.find(name, this.#port);
    // The library has the default of the port already, without a name.
    if (pair === undefined || pair === this.#certificates.default(this.#port)) return;
    const pattern = isWildcard(pair) ? `*${name.slice(name.indexOf('.'))}` : name;
    if (this.#known.has(pattern) || name.split('.').length > LABELS_MAX) return;
    // The library distinguishes names by case; a client that varies the case must not fill our memory.
    if (pattern !== pattern.toLowerCase() && ++this.#spellings > SPELLINGS_MAX) return;
    this.#use(pattern, pair);
    if (isWildcard(pair)) this.#addBelow(pattern);
  }

  /** Adds the names that a pattern would hide. */
  #addBelow(pattern: string): void {
    const parent = pattern.slice(2);
    for (const exact of this.#certificates.namesBelow(parent.toLowerCase())) {
      const name = exact.slice(0, -parent.length) + parent;
      const pair = this.#certificates.find(name, this.#port);
      if (!this.#known.has(name) && pair?.base === exact) this.#use(name, pair);
    }
  }

  #use(name: string, pair: KeyPair): void {
    const { app } = this.#listener;
    app.addServerName(name, filesOf(pair, this.#certificates.policy));
    app.domain(name);
    this.#listener.route();
    this.#known.set(name, pair);
  }

  #watch(): void {
    this.#timer = this.#clock.after(CHECK_MS, () => {
      for (const [name, known] of [...this.#known]) this.#check(name, known);
      this.#watch();
    });
  }

  #check(name: string, known: KeyPair): void {
    const pair = name.startsWith('*.')
      ? this.#certificates.wildcard(name.slice(2).toLowerCase())
      : this.#certificates.find(name, this.#port);
    if (pair !== undefined && pair !== known) {
      this.#listener.app.removeServerName(name);
      this.#use(name, pair);
    }
    if (name.startsWith('*')) this.#addBelow(name);
  }
}

/** The app of a TLS listener. @throws EdgeError when the default certificate cannot be used */
export function makeTlsApp(library: UwsLibrary, certificates: TlsCertificates, port: number) {
  const files = defaultFiles(certificates, port);
  try {
    return library.SSLApp(files);
  } catch (cause) {
    throw new EdgeError('ERR_EDGE_CERTIFICATE', `cannot use ${files.cert_file_name}`, { cause });
  }
}
