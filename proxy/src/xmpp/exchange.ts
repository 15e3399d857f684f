/** One request to an origin for a stanza, tried on the targets of its route, until there is a whole answer. */
import { type Containment, uncontained } from '@holdfast/control-api';
import { type Channel, headerValue, type RawHeaders, type ResponseHead, wireFromText } from '@holdfast/grip';
import { DecodedAnswer } from '../decoding/decoded-answer.js';
import type { RequestMarks } from '../edge/port.js';
import { faultError, OriginError } from '../errors.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler } from '../origin/port.js';
import { type Sending, send, type TargetRequest } from '../origin/send.js';
import type { OriginWarnings } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import { ANSWER_BYTES_MAX, isStanzaHead, STANZA_TYPE, type WholeAnswer } from './answer.js';

/**
 * How long an origin may take for its whole answer, in ms: all clients share the requests that may be under way, and none of them waits
 * for longer.
 *
 * @limit {s} for the answer to an XMPP stanza
 * @over the client gets the error `remote-server-timeout`; logged
 */
export const ANSWER_MS = 30_000;

/** By what origins are reached. */
export interface StanzaExchangeDeps {
  readonly clock: Clock;
  readonly forwarder: Forwarder;
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  /** Left out: failures are visible by their effects. */
  readonly warnings?: OriginWarnings | undefined;
}

/** What is asked. */
export interface StanzaRequest {
  /** Of the log. */
  readonly id: string;
  readonly route: Route;
  readonly path: string;
  /** The domain that the stanza is for: the host of the request. */
  readonly host: string;
  readonly connectionId: string;
  /** `Meta-*` fields: flat pairs. */
  readonly meta: RawHeaders;
  /** Channels that the client is on, as the origin names them. */
  readonly channels: readonly Pick<Channel, 'name' | 'isPattern'>[];
  readonly body: Buffer;
}

/** Who made an exchange, called at its end: exactly one call, never from within `start`. */
export interface StanzaExchangeOwner {
  /** `target` is the one that has answered. */
  exchangeAnswered(answer: WholeAnswer, target: Target): void;
  exchangeFailed(error: OriginError, target: Target): void;
}

const NO_MARKS: RequestMarks = {};

/** A request under way. A target that cannot be connected to is followed by the next; an answer is final. */
export class StanzaExchange implements OriginHandler, AnswerSink {
  readonly #request: StanzaRequest;
  readonly #owner: StanzaExchangeOwner;
  readonly #deps: StanzaExchangeDeps;
  readonly #kept = new KeptBytes();
  #head: ResponseHead | undefined;
  #sending: Sending | undefined;
  #call: OriginCall | undefined;
  #timer: Timer | undefined;

  constructor(request: StanzaRequest, owner: StanzaExchangeOwner, deps: StanzaExchangeDeps) {
    this.#request = request;
    this.#owner = owner;
    this.#deps = deps;
  }

  /** Asks the first target. */
  start(): void {
    const { route, id } = this.#request;
    const request: TargetRequest = {
      // What is asked again is what a connection that proved closed has not carried.
      repeatable: true,
      replayable: true,
      dispatch: (target, handler) => this.#dispatch(target, handler),
      targetFailed: (target, error) => this.#deps.warnings?.targetFailed({ id, route, target }, error),
    };
    const answer = new DecodedAnswer(this, this.#deps.faults ?? uncontained, isStanzaHead);
    this.#call = answer.start((handler) => {
      this.#sending = send(route.targets, request, handler);
      return this.#sending;
    });
    const late = () =>
      this.#giveUp('ERR_ORIGIN_STANZA_LATE', `no whole answer to a stanza within ${ANSWER_MS / 1_000} s`);
    this.#timer = this.#deps.clock.after(ANSWER_MS, late, this);
  }

  onInformation(): void {}

  onHead(head: ResponseHead): AnswerSink {
    this.#head = head;
    return this;
  }

  onData(chunk: Buffer): boolean {
    this.#kept.add(chunk);
    if (this.#kept.length > ANSWER_BYTES_MAX)
      this.#giveUp('ERR_ORIGIN_MALFORMED', `its answer to a stanza has more than ${ANSWER_BYTES_MAX} bytes`);
    return true;
  }

  onEnd(): void {
    this.#deps.clock.clear(this.#timer);
    this.#owner.exchangeAnswered({ head: this.#head as ResponseHead, body: this.#kept.whole() }, this.#target);
  }

  onError(error: OriginError): void {
    this.#deps.clock.clear(this.#timer);
    this.#owner.exchangeFailed(error, this.#target);
  }

  /** After a fault in asking the next target. */
  fault(error: unknown): void {
    this.onError(faultError(error));
  }

  #giveUp(code: OriginError['code'], text: string): void {
    this.#call?.abort();
    this.onError(new OriginError(code, text, 'no'));
  }

  get #target(): Target {
    return (this.#sending as Sending).target;
  }

  #dispatch(target: Target, handler: OriginHandler): OriginCall {
    const { route, path, host, body } = this.#request;
    const { forwarder, originOf } = this.#deps;
    const asked = { path, host, headers: [], clientAddress: '', ...NO_MARKS };
    const forwarded = forwarder.forward(asked, route, { secure: false, trusted: false }, target);
    forwarded.headers.push(...this.#fields());
    if (headerValue(forwarded.headers, 'accept-encoding') === undefined)
      forwarded.headers.push('Accept-Encoding', 'identity');
    return originOf(target, route, forwarded.host).dispatch({ method: 'POST', body, ...forwarded }, handler);
  }

  #fields(): string[] {
    const { connectionId, meta, channels } = this.#request;
    const fields = ['Accept', STANZA_TYPE, 'Connection-Id', connectionId, 'Content-Type', STANZA_TYPE, ...meta];
    for (const { name, isPattern } of channels) {
      const text = wireFromText(name.replace(/\p{Cc}/gu, ' '));
      fields.push('Grip-Channel', isPattern ? `${text}; pattern` : text);
    }
    return fields;
  }
}
