/**
 * Owns: trying the targets of a route in order until one takes the request. Does not own: what a request to a target
 * looks like (the caller prepares it), or what the answer means.
 */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { describeHost, type Target } from '../routes/target.js';
import { OriginError } from './errors.js';
import type { OriginCall, OriginHandler } from './port.js';

/** The two things that a failover asks of its caller. */
export interface Attempts {
  /** Sends the request to one target. Called again for the next target; the body must then start from the beginning. */
  send(target: Target, handler: OriginHandler): OriginCall;
  /** Whether the request may be sent a second time although an origin may have seen it: method and body decide. */
  readonly repeatable: boolean;
  /** Whether its body can still be given from the beginning. */
  readonly replayable: boolean;
  /** A target could not be asked: the next is, if there is one. */
  failed?(target: Target, error: OriginError): void;
}

/**
 * One request with its targets. The next target is tried on any failure before the request was on a connection; a
 * kept-alive connection that turns out to be closed is tried once more on the same target when the request may be
 * repeated. Errors reach the handler only when no target is left.
 */
export class Failover implements OriginHandler, OriginCall {
  readonly #attempts: Attempts;
  readonly #targets: readonly Target[];
  readonly #handler: OriginHandler;
  readonly #tried: string[] = [];
  #index = 0;
  #repeated = false;
  #call: OriginCall | undefined;

  /** `targets` must not be empty. */
  constructor(targets: readonly Target[], attempts: Attempts, handler: OriginHandler) {
    this.#targets = targets;
    this.#attempts = attempts;
    this.#handler = handler;
  }

  /** Sends to the first target. */
  start(): void {
    this.#call = this.#attempts.send(this.target, this);
  }

  /** The target asked last. */
  get target(): Target {
    return this.#targets[this.#index] as Target;
  }

  resume(): void {
    this.#call?.resume();
  }

  abort(): void {
    this.#call?.abort();
  }

  onInformation(head: ResponseHead): void {
    this.#handler.onInformation(head);
  }

  onHead(head: ResponseHead, length: number | undefined): void {
    this.#handler.onHead(head, length);
  }

  onData(chunk: Buffer): boolean {
    return this.#handler.onData(chunk);
  }

  onEnd(trailers?: RawHeaders): void {
    this.#handler.onEnd(trailers);
  }

  fault(error: unknown): void {
    this.#handler.fault?.(error);
  }

  onError(error: OriginError): void {
    if (error.repeat === 'stale' && !this.#repeated && this.#attempts.repeatable && this.#attempts.replayable) {
      this.#repeated = true;
      this.start();
    } else if (error.repeat !== 'connect') this.#handler.onError(error);
    else {
      this.#attempts.failed?.(this.target, error);
      this.#tried.push(describeTarget(this.target));
      if (this.#index + 1 < this.#targets.length && this.#attempts.replayable) {
        this.#index++;
        this.start();
      } else this.#handler.onError(this.#exhausted(error));
    }
  }

  #exhausted(last: OriginError): OriginError {
    if (last.code === 'ERR_ORIGIN_BLOCKED') return last;
    const text = `Unable to connect to any targets. Tried: ${this.#tried.join(', ')}`;
    return new OriginError('ERR_ORIGIN_CONNECT', text, 'no', { cause: last });
  }
}

/** A target as operators write it: `host:port`, or `test`. */
export function describeTarget(target: Target): string {
  return target.kind === 'test' ? 'test' : describeHost(target);
}
