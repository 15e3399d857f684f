/** One client request from its head to its answer, as a state machine. */
import { CodedError, type HoldMode, type ResponseHead } from '@holdfast/grip';
import { answerPlain, type Failure, failureOf } from '../answers/answers.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import { type LimitedBody, restOf } from '../clients/body-limits.js';
import type { Coding } from '../decoding/codings.js';
import { DecodedBody } from '../decoding/decoded-answer.js';
import type { ClientRequest, ClientResponse, ResponseHandler } from '../edge/port.js';
import { faultError, OriginError, RequestError } from '../errors.js';
import type { HoldOwner } from '../holds/hold.js';
import { type ClientTrust, withoutGrip } from '../origin/forwarder.js';
import { type AnswerSink, nowhere, type OriginCall, type OriginHandler } from '../origin/port.js';
import { describeTarget, Sending } from '../origin/send.js';
import type { FailureContext } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { outcomeOf } from '../tracing/request-traces.js';
import type { Entrant } from './admission.js';
import { byGrant } from './granted-origin.js';
import { OutgoingRequest, RequestBody } from './outgoing-request.js';
import type { RequestDeps } from './request-deps.js';

/**
 * `asking`: the request waits to be admitted, or an origin is asked: there is no head yet.
 * `deciding`: the head is there, and nothing has gone to the client: the body may be the instruct, or belong to a hold that
 * is not ready.
 * `relaying`: the origin's answer goes to the client as it comes.
 * `holding`: a hold owns the client's response.
 * `over`: answered, broken off, or the client is gone; the request has been reported.
 */
type State = 'asking' | 'deciding' | 'relaying' | 'holding' | 'over';

/** What may follow each state. Anything else comes too late, and has no effect. */
const TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  // A head; or no target is left, or the client is gone.
  asking: ['deciding', 'over'],
  // The sink of the body decides, with the head or later. An answer of our own is `over` at once, as is a failure.
  deciding: ['relaying', 'holding', 'over'],
  relaying: ['over'],
  // A response hold may have the origin asked again.
  holding: ['asking', 'over'],
  over: [],
};

/** Chooses what takes the body of an answer whose head is there, and moves the exchange on. */
export type SinkChoice = (exchange: Exchange, head: ResponseHead, length: number | undefined) => AnswerSink;

/** A hold, for a client whose request cannot be taken after all. */
interface RefusableHold extends Pick<Subscriber, 'view'> {
  /** Answers where that is possible, else cuts. */
  refuse(failure: Failure): void;
}

/**
 * Lives as long as its client's request does, retries of a hold included. It sends the request, is the owner of the response
 * until a sink or a hold takes it, and reports how the request ended. The body of the answer does not pass through it.
 */
export class Exchange implements OriginHandler, Entrant, ResponseHandler, HoldOwner {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  readonly trust: ClientTrust;
  readonly deps: RequestDeps;
  readonly #chooseSink: SinkChoice;
  readonly #limited: LimitedBody | undefined;
  readonly #body: RequestBody | undefined;
  #route: Route;
  readonly #since: number;
  #state: State = 'asking';
  /** When the origin was asked, by `performance.now`. */
  #asked = 0;
  /** Counted among the requests at origins. */
  #isAdmitted = false;
  /** Until there is a head. */
  #sending: Sending | undefined;
  /** From the head on: what the body comes by. */
  #call: OriginCall | undefined;
  /** From the head on: what takes the body. */
  #sink: AnswerSink | undefined;
  /** The one that answered. */
  #target: Target | undefined;
  #status = 0;
  /** While there is one. */
  #hold: RefusableHold | undefined;
  /** The client's body has broken a limit: whatever fails then fails because of it. */
  #refusal: RequestError | undefined;
  /** Of a hold that has the origin asked again. */
  #lastIds: ReadonlyMap<string, string> | undefined;

  constructor(
    request: ClientRequest,
    response: ClientResponse,
    route: Route,
    trust: ClientTrust,
    deps: RequestDeps,
    chooseSink: SinkChoice,
  ) {
    this.request = request;
    this.response = response;
    this.#route = route;
    this.trust = trust;
    this.deps = deps;
    this.#chooseSink = chooseSink;
    this.#limited = request.body && deps.bodyLimits.limit(request, route, (error) => this.#bodyRefused(error));
    this.#body = this.#limited && new RequestBody(this.#limited, deps.settings.requestBodyMax);
    this.#since = deps.clock.monotonic();
  }

  get id(): string {
    return this.request.id;
  }

  /** The client's route. */
  get route(): Route {
    return this.#route;
  }

  /** The one that answered; from the head on. */
  get target(): Target {
    return this.#target as Target;
  }

  /** When the origin was asked last, by `performance.now`. */
  get askedAt(): number {
    return this.#asked;
  }

  /** Whether there is a head of the origin, and nothing has gone to the client. */
  get isDeciding(): boolean {
    return this.#state === 'deciding';
  }

  /** Whether the origin's instructions are for us: not those for a GRIP proxy before us. */
  get obeysGrip(): boolean {
    return !this.trust.trusted && !this.route.noGrip;
  }

  /** Whether the request could be sent again, as a hold may want. */
  get replayable(): boolean {
    return this.#body === undefined || this.#body.replayable;
  }

  /** Asks the origin. */
  start(): void {
    this.response.setHandler(this);
    if (this.#body === undefined) this.#ask();
    else if (this.#limited?.admits()) this.#body.ready(() => this.#ask());
  }

  // ---- asking

  admitted(): void {
    this.#isAdmitted = true;
    this.#sink = undefined;
    this.#call = undefined;
    const { request, trust, deps } = this;
    // A hold that has its origin asked again wants its news.
    const by = this.#lastIds === undefined && this.obeysGrip ? byGrant(deps, request, this.#route) : deps;
    const outgoing = new OutgoingRequest(request, this.#route, trust, this.#body, this.#lastIds, by);
    this.#asked = performance.now();
    this.#sending = new Sending(this.#route.targets, outgoing, this);
    this.#sending.start();
  }

  onInformation(head: ResponseHead): void {
    if (this.#state === 'asking') this.response.writeInformation(this.obeysGrip ? withoutGrip(head) : head);
  }

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    if (!this.#enter('deciding')) return nowhere;
    this.deps.originAnswered?.(this.#route, performance.now() - this.#asked);
    const { target, call } = this.#sending as Sending;
    this.#target = target;
    this.#call = call;
    this.#sending = undefined;
    try {
      this.#sink = this.#chooseSink(this, head, length);
      return this.#sink;
    } catch (error) {
      // Anything but a refusal of ours is a fault, and comes back as an error of the call.
      if (!(error instanceof CodedError)) throw error;
      this.fail(error);
      return nowhere;
    }
  }

  /** There is no head, or no sink for the body: the choice has failed. */
  onError(error: OriginError): void {
    if (this.#state === 'holding') this.brokenOff(error);
    else this.fail(error);
  }

  // ---- deciding: what the sink of the body reports

  /** The answer is relayed from here on. */
  relaying(status: number): void {
    this.#enter('relaying');
    this.#status = status;
    this.request.trace?.end(...outcomeOf(status, undefined));
  }

  /**
   * Gives the hold that the request is to be its place among those of its client. `user` is the one that the origin names.
   * @throws RequestError when there is none
   */
  admitHold(user: string | undefined): void {
    if (!this.trust.trusted) this.deps.limits?.admitHold(this.request, this.#route, user);
  }

  /** The request is a hold from here on. A response hold has read the origin's body before. */
  held(mode: HoldMode, status: number, hold: RefusableHold): void {
    if (!this.#enter('holding')) return;
    this.#hold = hold;
    this.#status = status;
    // Only a response hold may have to be asked again: then with all of its body, which the origin may not have read.
    if (mode === 'response') this.#body?.readOn();
    else this.#body?.release();
    this.#report(mode, undefined);
    if (mode === 'response') this.bodyWhole();
  }

  /** The answer has been given whole, without a hold. */
  answered(status: number): void {
    this.#status = status;
    this.over(undefined);
  }

  /** A sink that takes the codings off before `sink`. From here on the body comes by way of it. */
  decoded(codings: readonly Coding[], sink: AnswerSink): AnswerSink {
    if (codings.length === 0) return sink;
    const body = new DecodedBody(codings, sink, this.#call as OriginCall, this.deps.holds.subscriber.faults);
    this.#call = body;
    return body;
  }

  // ---- the body

  /** The body may flow again, after the sink's `onData` had returned false. */
  resume(): void {
    this.#call?.resume();
  }

  /** The sink has been given an error: it decides what that means for the client. */
  brokenOff(error: OriginError): void {
    // A coding that cannot be taken off is reported where it makes the request fail.
    if (error.code !== 'ERR_ORIGIN_CODING') this.deps.warnings?.failed(this.#context, error, 'answer broken off');
  }

  /** A hold has all of the origin's body. It may last for hours: what was needed to get there is released. */
  bodyWhole(): void {
    this.#sink = undefined;
    this.#call = undefined;
  }

  // ---- holding

  holdWritable(): void {
    this.resume();
  }

  holdEnded(end: SubscriberEnd): void {
    this.deps.limits?.ended(this.request);
    this.abort();
    // The client of a hold may go away while the origin's own answer is still being read.
    if (this.#state !== 'holding') this.over('ERR_REQUEST_CLIENT_GONE');
    else if (this.#enter('over')) this.#release();
    this.deps.events.holdEnded(this.request, this.route, end, this.response.bodyBytes);
  }

  holdRetry(end: SubscriberEnd, lastIds: ReadonlyMap<string, string>): void {
    this.deps.limits?.ended(this.request);
    this.deps.events.holdEnded(this.request, this.route, end, this.response.bodyBytes);
    if (!this.#enter('asking')) return;
    this.#hold = undefined;
    this.#lastIds = lastIds;
    this.response.setHandler(this);
    // The table may have been reloaded since: the route's present form decides, or none if it is gone.
    const route = this.deps.routes().current(this.route);
    if (route === undefined) this.fail(new RequestError('ERR_REQUEST_NO_ROUTE', 'Route not found'));
    else if (!this.replayable) this.fail(tooLargeToHold());
    else {
      this.#route = route;
      this.#ask();
    }
  }

  // ---- to the end

  /** Answers with a failure, where nothing has gone to the client, and gives the origin's answer up. */
  fail(error: Error): void {
    if (this.#state === 'over') return;
    // A hold may have had it, and has let go of it.
    this.response.setHandler(this);
    this.abort();
    const failure = failureOf(this.#refusal ?? error, this.route.debug || this.deps.settings.debug);
    this.deps.log.debug({ id: this.id, err: error }, 'request failed');
    this.deps.warnings?.failed(this.#context, error);
    this.#status = failure.status;
    try {
      answerPlain(this.response, failure.status, failure.text, failure.headers);
    } catch {
      // A head has gone out already.
      this.response.abort(true);
    }
    this.over(failure.code);
  }

  onWritable(): void {}

  onGone(): void {
    this.abort();
    this.over('ERR_REQUEST_CLIENT_GONE');
  }

  /** A hold has its response, and ends by itself. */
  fault(error: unknown): void {
    if (this.#state === 'asking') this.fail(faultError(error));
    else if (this.#state === 'deciding' || this.#state === 'relaying') {
      this.abort();
      this.#sink?.onError(faultError(error));
    }
  }

  /** Gives the origin's answer up. */
  abort(): void {
    this.#sending?.abort();
    this.#call?.abort();
  }

  /** The request is over, and is reported. `error` is the code of what was wrong with its answer. */
  over(error: string | undefined): void {
    if (!this.#enter('over')) return;
    this.deps.limits?.ended(this.request);
    this.#release();
    this.#report(undefined, error && (this.#refusal?.code ?? error));
  }

  /** What is under way for the client ends: with an answer where no head has gone out. */
  #bodyRefused(error: RequestError): void {
    if (this.#state === 'over') return;
    this.#refusal = error;
    this.response.closeAfter?.(restOf(error, this.request.body));
    if (this.#state === 'holding') {
      this.abort();
      this.#hold?.refuse(failureOf(error, false));
    } else if (this.#sink === undefined || this.#state === 'asking') this.fail(error);
    else {
      this.abort();
      this.#sink.onError(new OriginError('ERR_ORIGIN_REQUEST', error.message, 'no', { cause: error }));
    }
  }

  #release(): void {
    this.#limited?.release();
    this.#body?.release();
  }

  #ask(): void {
    this.deps.admission.enter(this);
  }

  #enter(next: State): boolean {
    if (!TRANSITIONS[this.#state].includes(next)) return false;
    this.#state = next;
    return true;
  }

  get #context(): FailureContext {
    const target = this.#sending?.target ?? (this.#call && this.#target);
    return { id: this.id, route: this.route, target, marks: this.request };
  }

  #report(hold: HoldMode | undefined, error: string | undefined): void {
    if (this.#isAdmitted) {
      this.#isAdmitted = false;
      this.deps.admission.leave();
      // The client may have gone while its request waited.
    } else this.deps.admission.withdraw(this);
    const asked = this.#sending?.target ?? this.#target;
    this.deps.events.requestEnded({
      request: this.request,
      secure: this.trust.secure,
      route: this.route,
      target: asked && describeTarget(asked),
      status: this.#status,
      error,
      hold,
      held: hold && this.#hold,
      bytes: this.response.bodyBytes,
      duration: this.deps.clock.monotonic() - this.#since,
      retry: this.#lastIds !== undefined,
    });
  }
}

/** The body of the request is not kept: a hold could not have it sent again. */
export function tooLargeToHold(): RequestError {
  return new RequestError('ERR_REQUEST_TOO_LARGE_TO_HOLD', 'Request too large to accept GRIP instruct.');
}
