/** Owns: which certificate a TLS listener of the uws edge shows to whom. Does not own: the files (`tls-certificates`). */
import type { Clock, Timer } from '../clock.js';
import { EdgeError } from './errors.js';
import type { KeyPair, TlsCertificates } from './tls-certificates.js';
import type { UwsCertificate, UwsLibrary } from './uws-library.js';
import type { UwsListener } from './uws-listener.js';

/** How often certificates in use are compared with their files, in ms. */
export const CHECK_MS = 10_000;

const filesOf = ({ certFile, keyFile }: KeyPair): UwsCertificate => ({
  cert_file_name: certFile,
  key_file_name: keyFile,
});

/**
 * The files for clients that name no known server. Without any, only named servers are served.
 * @throws EdgeError when nothing in the directory can be used
 */
export function defaultFiles(certificates: TlsCertificates, port: number): UwsCertificate {
  const pair = certificates.default(port);
  return pair === undefined ? {} : filesOf(pair);
}

/** Certificates by server name: each is added when a client first asks for it, and exchanged when its file changes. */
export class UwsCertificates {
  readonly #listener: UwsListener;
  readonly #certificates: TlsCertificates;
  readonly #port: number;
  readonly #clock: Clock;
  readonly #known = new Map<string, KeyPair>();
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
    const pair = this.#certificates.find(name, this.#port);
    // The library has the default of the port already, for which no name is needed.
    if (pair === undefined || pair === this.#certificates.default(this.#port)) return;
    this.#use(name, pair);
  }

  #use(name: string, pair: KeyPair): void {
    const { app } = this.#listener;
    app.addServerName(name, filesOf(pair));
    app.domain(name);
    this.#listener.route();
    this.#known.set(name, pair);
  }

  #watch(): void {
    this.#timer = this.#clock.after(CHECK_MS, () => {
      for (const [name, known] of this.#known) {
        const pair = this.#certificates.find(name, this.#port);
        if (pair === undefined || pair === known) continue;
        this.#listener.app.removeServerName(name);
        this.#use(name, pair);
      }
      this.#watch();
    });
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
