/** What TLS listeners ask of their clients: versions, ciphers, and the authorities that sign clients' certificates. */
import { constants, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { PEM_FILE_MAX, readWhole, whyUnread } from '../config/files/read-file.js';
import { EdgeError } from '../errors.js';

/** What is not given is Node's default. */
export interface TlsRules {
  readonly minVersion?: '1.2' | '1.3' | undefined;
  /** In OpenSSL's form; suites of TLS 1.3 are those of the library unless some are named. */
  readonly ciphers?: string | undefined;
  /** File of authorities in PEM. Left out: clients are not asked for certificates. */
  readonly clientCa?: string | undefined;
}

/** Suites of TLS 1.3 have names of this form, in any list. */
export const MODERN_SUITE = /^TLS_/;

/** Those of the library, to go before a list that names none: without, node would do without TLS 1.3. */
const modernSuites = constants.defaultCoreCipherList.split(':').filter((name) => MODERN_SUITE.test(name));

/** The names in a list of suites. */
export const suitesIn = (ciphers: string): string[] => ciphers.split(/[:, ]+/).filter((name) => name !== '');

/** The rules as they are now. */
export interface TlsTerms {
  /** Changes whenever they do. */
  readonly stamp: string;
  readonly context: SecureContextOptions;
}

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Reads authorities from PEM. Throws an Error that says what is wrong with them, for the end of a line. */
export function readAuthorities(file: string): string[] {
  const found = readWhole(file, PEM_FILE_MAX).toString('latin1').match(block) ?? [];
  if (found.length === 0) throw new Error('it has no certificate in PEM (-----BEGIN CERTIFICATE-----)');
  for (const pem of found) new X509Certificate(pem);
  return found;
}

/** Rules whose file is read again when it changes. */
export class TlsPolicy {
  /** Of listeners for which nothing is configured. */
  static readonly usual = new TlsPolicy({}, () => {});

  /** Whether clients are asked for certificates. */
  readonly asksClients: boolean;
  /** Called for each client that is turned away for its certificate; `reason` is OpenSSL's code. */
  readonly onRefused: (client: string, reason: string) => void;
  readonly #rules: TlsRules;
  readonly #onFault: (error: EdgeError) => void;
  #terms: TlsTerms = { stamp: '', context: {} };
  /** Of the file that was looked at last, whether it could be used or not. */
  #seen = '';

  /**
   * `onFault` is called once for each change that cannot be used; the authorities read before stay in use.
   * @throws EdgeError ERR_EDGE_CERTIFICATE when a rule cannot be kept, or the file be used
   */
  constructor(
    rules: TlsRules,
    onFault: (error: EdgeError) => void,
    onRefused: (client: string, reason: string) => void = () => {},
  ) {
    this.onRefused = onRefused;
    this.#rules = rules;
    this.#onFault = onFault;
    this.asksClients = rules.clientCa !== undefined;
    this.#seen = stampOf(rules.clientCa);
    this.#terms = this.#read(this.#seen);
  }

  /** To be asked for each connection: costs a look at the file. */
  get terms(): TlsTerms {
    if (!this.asksClients) return this.#terms;
    const stamp = stampOf(this.#rules.clientCa);
    if (stamp === this.#seen) return this.#terms;
    this.#seen = stamp;
    try {
      this.#terms = this.#read(stamp);
    } catch (error) {
      this.#onFault(error as EdgeError);
    }
    return this.#terms;
  }

  /** Nothing but a list of ciphers is read by OpenSSL alone. */
  #blamed(cause: unknown): string {
    const { ciphers, clientCa } = this.#rules;
    const { code = '' } = cause as NodeJS.ErrnoException;
    return ciphers !== undefined && code.startsWith('ERR_SSL') ? 'tls_ciphers' : (clientCa ?? 'tls_ciphers');
  }

  /** The rules as they are given, for a library that reads files itself. */
  get rules(): TlsRules {
    return this.#rules;
  }

  #read(stamp: string): TlsTerms {
    const { minVersion, ciphers, clientCa } = this.#rules;
    try {
      const context = {
        ...(minVersion !== undefined && { minVersion: `TLSv${minVersion}` as const }),
        ...(ciphers !== undefined && { ciphers: withModern(ciphers) }),
        // A session that is resumed is not verified again: it would outlive its authority.
        ...(clientCa !== undefined && { ca: readAuthorities(clientCa), secureOptions: constants.SSL_OP_NO_TICKET }),
      };
      createSecureContext(context);
      return { stamp, context };
    } catch (cause) {
      throw new EdgeError('ERR_EDGE_CERTIFICATE', `cannot use ${this.#blamed(cause)}: ${whyUnread(cause)}`, { cause });
    }
  }
}

function withModern(ciphers: string): string {
  const suites = suitesIn(ciphers);
  return (suites.some((name) => MODERN_SUITE.test(name)) ? suites : [...modernSuites, ...suites]).join(':');
}

function stampOf(file: string | undefined): string {
  if (file === undefined) return '';
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
