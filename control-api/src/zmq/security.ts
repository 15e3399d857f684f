/** CURVE on the sockets of a node: which have it, and in which role. */
import { ControlError } from '../errors.js';
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import { publicCurveKey } from './curve.js';
import type { Context, Library } from './library.js';
import { ZapHandler } from './zap.js';

/** The keys of CURVE, each the text of one. */
export interface CurveKeys {
  /** Of this node, on all its sockets. */
  readonly secretKey: string;
  /** Those who may connect: the name of the one with this public key, undefined for anybody else. Asked for each connection. */
  readonly clients: (publicKey: string) => string | undefined;
  /** Public key of the publishers that the SUB socket connects to; undefined: that has no CURVE. */
  readonly publisherKey: string | undefined;
}

/** What a socket is opened with. */
export interface SocketSecurity {
  readonly context?: Context;
  readonly curveServer?: boolean;
  readonly curvePublicKey?: string;
  readonly curveSecretKey?: string;
  readonly curveServerKey?: string;
  readonly zapDomain?: string;
  readonly zapEnforceDomain?: boolean;
}

/** Without a domain that is enforced the library lets everybody in where the handler is not there. */
const asked = { zapDomain: 'holdfast', zapEnforceDomain: true } as const;

const isTcp = (spec: string): boolean => spec.startsWith('tcp:');

/**
 * Gives sockets their keys. The library asks one handler for all sockets of a context who may connect, so that each node has a
 * context of its own; `ipc` sockets have no CURVE, as their files have modes.
 */
export class ZeroMqSecurity {
  readonly #keys: CurveKeys | undefined;
  readonly #context: Context | undefined;
  readonly #zap: ZapHandler | undefined;

  /** Without keys, no socket has CURVE. Throws `ControlError` ERR_ZMQ_CURVE where the library was built without. */
  constructor(library: Library, keys: CurveKeys | undefined, log: Log, faults: Containment) {
    this.#keys = keys;
    if (keys === undefined) return;
    if (library.capability.curve !== true) {
      throw new ControlError('ERR_ZMQ_CURVE', 'zmq_curve_secret_key is set, but this build of ZeroMQ has no CURVE.');
    }
    this.#context = new library.Context();
    this.#zap = new ZapHandler(library, this.#context, keys.clients, log, faults);
  }

  /** The public key of the node, which its clients need; undefined without CURVE. */
  get publicKey(): string | undefined {
    return this.#keys === undefined ? undefined : publicCurveKey(this.#keys.secretKey);
  }

  /** Begins to answer who may connect; before any socket is bound. */
  async open(): Promise<void> {
    await this.#zap?.open();
  }

  close(): void {
    this.#zap?.close();
  }

  /** For a socket that binds this. */
  bound(spec: string): SocketSecurity {
    if (this.#keys === undefined || this.#context === undefined || !isTcp(spec)) return {};
    return { context: this.#context, curveServer: true, curveSecretKey: this.#keys.secretKey, ...asked };
  }

  /** For a socket that connects to these: it is the client. */
  connected(specs: readonly string[]): SocketSecurity {
    if (this.#keys?.publisherKey === undefined || !specs.some(isTcp)) return {};
    const { secretKey, publisherKey } = this.#keys;
    return { curveSecretKey: secretKey, curvePublicKey: publicCurveKey(secretKey), curveServerKey: publisherKey };
  }
}
