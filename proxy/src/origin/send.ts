/** Sending a request to the targets of its route, in order, until one of them has taken it: the only loop over targets. */
import type { ResponseHead } from '@holdfast/grip';
import { OriginError } from '../errors.js';
import { describeHost, type Target } from '../routes/target.js';
import type { AnswerSink, OriginCall, OriginHandler } from './port.js';

/** What decides whether a request may be sent again. */
export interface Resendable {
  /** Whether it may be sent a second time although an origin may have seen it: method and body decide. */
  readonly repeatable: boolean;
  /** Whether its body can still be given from the beginning. */
  readonly replayable: boolean;
  /** A target could not be connected to: the next is tried, if there is one. */
  targetFailed?(target: Target, error: OriginError): void;
}

/**
 * The targets of one request. The next one is tried on any failure before the request was on a connection; a kept-alive
 * connection that turns out to be closed leads to one more attempt at the same target, when the request may be repeated.
 */
export class TargetLoop {
  readonly #targets: readonly Target[];
  #index = 0;
  #repeated = false;

  /** `targets` must not be empty. */
  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  /** The target of the present attempt. */
  get target(): Target {
    return this.#targets[this.#index] as Target;
  }

  /**
   * Decides what follows a failed attempt: undefined when the request is to be sent to `target`, which may be another one
   * now; otherwise the error that the request ends with.
   */
  after(error: OriginError, request: Resendable): OriginError | undefined {
    if (error.repeat === 'stale' && !this.#repeated && request.repeatable && request.replayable) {
      this.#repeated = true;
      return undefined;
    }
    if (error.repeat !== 'connect') return error;
    request.targetFailed?.(this.target, error);
    if (this.#index + 1 < this.#targets.length && request.replayable) {
      this.#index++;
      return undefined;
    }
    return error.code === 'ERR_ORIGIN_BLOCKED' ? error : this.#exhausted(error);
  }

  #exhausted(last: OriginError): OriginError {
    const tried = this.#targets.slice(0, this.#index + 1).map(describeTarget);
    const text = `Unable to connect to any targets. Tried: ${tried.join(', ')}`;
    return new OriginError('ERR_ORIGIN_CONNECT', text, 'no', { cause: last });
  }
}

/** A request that can be sent to each of its targets. */
export interface TargetRequest extends Resendable {
  /** Sends it to one target, with its body from the beginning. */
  dispatch(target: Target, handler: OriginHandler): OriginCall;
}

/**
 * One request on its way through the targets. Its handler gets the head of the first answer, or one error when no target is
 * left. From the head on the answer goes straight to the sink that the handler has chosen, and `call` is all that is needed.
 */
export class Sending implements OriginHandler, OriginCall {
  readonly #loop: TargetLoop;
  readonly #request: TargetRequest;
  readonly #handler: OriginHandler;
  #call: OriginCall | undefined;

  /** `targets` must not be empty. */
  constructor(targets: readonly Target[], request: TargetRequest, handler: OriginHandler) {
    this.#loop = new TargetLoop(targets);
    this.#request = request;
    this.#handler = handler;
  }

  /** Sends to the first target. Throws what `dispatch` of the request throws. */
  start(): this {
    this.#call = this.#request.dispatch(this.target, this);
    return this;
  }

  /** The target of the present attempt; of the answer, once there is one. */
  get target(): Target {
    return this.#loop.target;
  }

  /** The present attempt. There is one when the handler is called. */
  get call(): OriginCall {
    return this.#call as OriginCall;
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

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    return this.#handler.onHead(head, length);
  }

  onError(error: OriginError): void {
    const last = this.#loop.after(error, this.#request);
    if (last === undefined) this.start();
    else this.#handler.onError(last);
  }

  fault(error: unknown): void {
    this.#handler.fault?.(error);
  }
}

/** Sends a request to its targets, of which there is at least one. */
export function send(targets: readonly Target[], request: TargetRequest, handler: OriginHandler): Sending {
  return new Sending(targets, request, handler).start();
}

/** A target as operators write it: `host:port`, or the name of one that is built in. */
export function describeTarget(target: Target): string {
  return target.kind === 'http' ? describeHost(target) : target.kind;
}
