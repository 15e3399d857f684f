/** Edges with a TLS listener over a directory of certificates, and their clients. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import type { Edge } from '../../dist/edge/port.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { CHECK_MS } from '../../dist/edge/uws/certificates.js';
import { RawClient } from '../kit/clients/raw-client.js';
import { freePort } from '../kit/ports.js';
import { CertificateFiles } from './certificate-files.js';
import { EdgeFixture, type EdgeLimits, type EdgeSurroundings } from './clause.js';
import { nodeEdge } from './node-edge-maker.js';
import type { Taken } from './scripted-handler.js';
import { uwsEdge } from './uws-edge-maker.js';

/** An edge that can serve TLS. */
export interface TlsEdge {
  readonly name: string;
  readonly make: (surroundings: EdgeSurroundings, certificates: TlsCertificates) => Edge;
  /** How long, by its clock in ms, the edge may go on with a certificate whose files have changed. */
  readonly delay: number;
}

export const nodeTls: TlsEdge = { name: 'node', make: nodeEdge, delay: 0 };

export const uwsTls: TlsEdge = {
  name: 'uws',
  make: (surroundings, certificates) => uwsEdge(surroundings, { certificates }),
  delay: CHECK_MS,
};

/** All edges: what is tried on each of them holds for TLS as such. */
export const tlsEdges: readonly TlsEdge[] = [nodeTls, uwsTls];

/** The server name that every fixture has a certificate for. */
export const NAME = 'a.example';

/** An edge with a TLS listener on a port of its own. */
export class TlsFixture {
  /** The edge, with a listener without TLS. */
  readonly plain: EdgeFixture;
  readonly files: CertificateFiles;
  readonly port: number;
  /** Code and text of what was wrong with certificates. */
  readonly faults: readonly string[];
  readonly #t: Test;
  readonly #delay: number;

  private constructor(
    t: Test,
    plain: EdgeFixture,
    files: CertificateFiles,
    port: number,
    faults: string[],
    delay: number,
  ) {
    this.#t = t;
    this.plain = plain;
    this.files = files;
    this.port = port;
    this.faults = faults;
    this.#delay = delay;
  }

  /** Listens, with a certificate for `NAME` and those that `prepare` adds; the default one has to be there by then. */
  static async open(
    t: Test,
    edge: TlsEdge,
    prepare: (files: CertificateFiles, port: number) => void = () => {},
    limits: Partial<EdgeLimits> = {},
  ): Promise<TlsFixture> {
    const files = new CertificateFiles(t.testdir());
    const port = await freePort();
    files.issue(NAME, NAME, [`DNS:${NAME}`]);
    prepare(files, port);
    const faults: string[] = [];
    const certificates = new TlsCertificates(files.directory, (error) => faults.push(`${error.code} ${error.message}`));
    const plain = await EdgeFixture.open(t, (surroundings) => edge.make(surroundings, certificates), limits);
    await plain.edge.listen({ host: '127.0.0.1', port, tls: true });
    return new TlsFixture(t, plain, files, port, faults, edge.delay);
  }

  /** A client that has verified the edge by `NAME`. */
  connect(): Promise<RawClient> {
    return RawClient.to(this.#t, { port: this.port, tls: { ca: this.files.authority, servername: NAME } });
  }

  /** Such a client that has sent this, and the request that the edge made of it. */
  async send(bytes: string): Promise<{ client: RawClient; taken: Taken }> {
    const client = await this.connect();
    void client.write(bytes);
    return { client, taken: await this.plain.next() };
  }

  /** The common name of the certificate that a client is shown; rejects when the handshake fails. */
  async shown(servername: string | undefined): Promise<string> {
    const options: ConnectionOptions = { host: '127.0.0.1', port: this.port, rejectUnauthorized: false };
    const socket: TLSSocket = connect(servername === undefined ? options : { ...options, servername });
    this.#t.teardown(() => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('closed in the handshake')));
    });
    const { subject } = socket.getPeerCertificate();
    // An edge has only so many connections.
    socket.destroy();
    return String(subject.CN);
  }

  /** Puts a new certificate in the place of another at once, as a rename does. */
  replace(base: string, commonName: string, names: readonly string[]): void {
    this.files.issue('new', commonName, names);
    for (const end of ['key', 'crt'])
      copyFileSync(join(this.files.directory, `new.${end}`), join(this.files.directory, `${base}.${end}`));
  }

  /** Lets the time pass after which the edge has noticed a change of files. */
  notice(): void {
    if (this.#delay > 0) this.plain.clock.advance(this.#delay);
  }
}
