/**
 * Owns: one client request from its head to its answer: asking the origin, deciding on the response head whether the
 * answer is relayed or becomes a hold, and asking again for a hold that wants it.
 * Does not own: routing, connections, header rules, the holds, or the texts of failures.
 */
import { GripError, type HoldMode, instructKind, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import { answerPlain, failureOf } from '../answers/error-response.js';
import type { SubscriberEnd } from '../channels/subscriber-parts.js';
import { codingsOf } from '../decoding/codings.js';
import { DecodedBody } from '../decoding/decoded-body.js';
import type { ClientRequest, ClientResponse, ResponseOwner } from '../edge/port.js';
import { ofDecodedBody } from '../http/body-fields.js';
import { RequestError } from '../http/errors.js';
import { scopeOf } from '../links/link-scope.js';
import { faultError, type OriginError } from '../origin/errors.js';
import { type Attempts, describeTarget, Failover } from '../origin/failover.js';
import type { ClientStanding } from '../origin/forwarder.js';
import type { OriginCall, OriginHandler } from '../origin/port.js';
import type { TroubleScene } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { CodedError } from '../runtime/coded-error.js';
import type { Entrant } from './admission.js';
import type { AnswerBody } from './answer.js';
import { InstructAnswer, type InstructOwner } from './instruct-answer.js';
import { withoutGrip } from './interim.js';
import { Relay, type RelayEnd } from './relay.js';
import { RequestBody } from './request-body.js';
import type { RequestParts } from './request-parts.js';

/**
 * `asking`: an origin has been asked, no head yet. `answering`: its answer is being relayed or read. `held`: a hold
 * owns the client's response. `over`: nothing is left to do.
 */
type State = 'asking' | 'answering' | 'held' | 'over';

/** Methods that may be repeated when an origin may have seen them (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Lives as long as its client's request does, retries of a hold included. */
export class Exchange implements OriginHandler, Attempts, Entrant, ResponseOwner, InstructOwner {
  readonly #request: ClientRequest;
  readonly #response: ClientResponse;
  #route: Route;
  readonly #standing: ClientStanding;
  readonly #parts: RequestParts;
  readonly #body: RequestBody | undefined;
  readonly #since: number;
  #state: State = 'asking';
  #lastIds: ReadonlyMap<string, string> | undefined;
  #call: Failover | undefined;
  #answer: AnswerBody | undefined;
  /** Whom a hold came from, once there is no call any more. */
  #asked: Target | undefined;
  /** The origin's answer has come whole. */
  #isWhole = false;
  #status = 0;
  #retry = false;
  /** Counted among the requests at origins. */
  #asking = false;

  constructor(
    request: ClientRequest,
    response: ClientResponse,
    route: Route,
    standing: ClientStanding,
    parts: RequestParts,
  ) {
    this.#request = request;
    this.#response = response;
    this.#route = route;
    this.#standing = standing;
    this.#parts = parts;
    this.#body = request.body && new RequestBody(request.body, parts.settings.requestBodyMax);
    this.#since = parts.clock.monotonic();
  }

  /** Asks the origin. */
  start(): void {
    this.#response.own(this);
    if (this.#body === undefined) this.#ask();
    else this.#body.ready(() => this.#ask());
  }

  get repeatable(): boolean {
    return IDEMPOTENT.has(this.#request.method);
  }

  get replayable(): boolean {
    return this.#body === undefined || this.#body.replayable;
  }

  send(target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf } = this.#parts;
    const { host, path, headers } = forwarder.forward(
      this.#request,
      this.#route,
      this.#standing,
      target,
      this.#lastIds,
    );
    const body = this.#body === undefined ? null : this.#body.open();
    const { method, takesTrailers } = this.#request;
    const trailers = takesTrailers ? () => this.#body?.trailers ?? [] : undefined;
    return originOf(target, this.#route, host).dispatch({ method, path, headers, body, trailers }, handler);
  }

  onInformation(head: ResponseHead): void {
    if (this.#state === 'asking') this.#response.writeInformation(this.#obeysGrip ? withoutGrip(head) : head);
  }

  onHead(head: ResponseHead, length: number | undefined): void {
    if (this.#state !== 'asking') return;
    this.#state = 'answering';
    const isInstruct = this.#obeysGrip && instructKind(head) !== 'none';
    try {
      this.#answer = isInstruct ? this.#instruct(head, length) : this.#relay(head, length);
    } catch (error) {
      // Anything but a refusal of ours is a fault, and comes back as an error of the call.
      if (error instanceof CodedError || error instanceof GripError) this.#fail(error);
      else {
        if (this.#state === 'answering') this.#state = 'asking';
        throw error;
      }
    }
  }

  onData(chunk: Buffer): boolean {
    return this.#answer === undefined || this.#answer.onData(chunk);
  }

  onEnd(trailers?: RawHeaders): void {
    this.#isWhole = true;
    this.#answer?.onEnd(trailers);
    this.#letGo();
  }

  onError(error: OriginError): void {
    if (this.#state === 'asking') this.#fail(error);
    else {
      this.#parts.troubles?.failed(this.#scene, error, 'answer broken off');
      this.#answer?.onError(error);
    }
  }

  failed(target: Target, error: OriginError): void {
    this.#parts.troubles?.targetFailed({ id: this.id, route: this.#route, target }, error);
  }

  onWritable(): void {}

  get id(): string {
    return this.#request.id;
  }

  /** A hold has its response, and ends by itself. */
  fault(error: unknown): void {
    if (this.#state === 'asking') this.#fail(faultError(error));
    else if (this.#state === 'answering') {
      this.#call?.abort();
      this.#answer?.onError(faultError(error));
    }
  }

  onGone(): void {
    this.#abort();
    this.#over('ERR_REQUEST_CLIENT_GONE');
  }

  instructRelayed(head: ResponseHead, length: number | undefined): AnswerBody {
    return this.#relay(head, length);
  }

  instructAnswered(status: number): void {
    this.#status = status;
    this.#over(undefined);
  }

  instructHeld(mode: HoldMode, status: number): void {
    this.#status = status;
    this.#state = 'held';
    // Only a response hold may have to be asked again: then with all of its body, which the origin may not have read.
    if (mode === 'response') this.#body?.readOn();
    else this.#body?.release();
    this.#ended(mode, undefined);
    this.#letGo();
  }

  instructWhole(): void {
    this.#letGo();
  }

  instructFailed(error: Error): void {
    this.#response.own(this);
    this.#fail(error);
  }

  holdWritable(): void {
    if (this.#answer?.resume === undefined) this.#call?.resume();
    else this.#answer.resume();
  }

  holdEnded(end: SubscriberEnd): void {
    this.#abort();
    // The client of a hold may go away while the origin's own answer is still being read.
    if (this.#state === 'answering') this.#over('ERR_REQUEST_CLIENT_GONE');
    this.#state = 'over';
    this.#body?.release();
    this.#parts.events.holdEnded(this.#request, this.#route, end, this.#response.bodyBytes);
  }

  holdRetry(end: SubscriberEnd, lastIds: ReadonlyMap<string, string>): void {
    this.#parts.events.holdEnded(this.#request, this.#route, end, this.#response.bodyBytes);
    this.#state = 'asking';
    this.#retry = true;
    this.#lastIds = lastIds;
    this.#response.own(this);
    // The table may have been reloaded since: the route's present form decides, or none if it is gone.
    const route = this.#parts.routes().current(this.#route);
    if (route === undefined) this.#fail(new RequestError('ERR_REQUEST_NO_ROUTE', 'Route not found'));
    else if (!this.replayable) this.#fail(tooLargeToHold());
    else {
      this.#route = route;
      this.#ask();
    }
  }

  /**
   * A hold may last for hours: what was needed to get there is let go, once the origin's answer has come whole and is decoded. It
   * may have come before there is a hold, for that may have waited for its subscription.
   */
  #letGo(): void {
    if (this.#state !== 'held' || !this.#isWhole || this.#answer?.isBusy === true) return;
    this.#asked = this.#call?.target ?? this.#asked;
    this.#answer = undefined;
    this.#call = undefined;
  }

  get #obeysGrip(): boolean {
    return !this.#standing.trusted && !this.#route.noGrip;
  }

  get #scene(): TroubleScene {
    return { id: this.id, route: this.#route, target: this.#call?.target };
  }

  get #debug(): boolean {
    return this.#route.debug || this.#parts.settings.debug;
  }

  #ask(): void {
    this.#parts.admission.enter(this);
  }

  admitted(): void {
    this.#asking = true;
    this.#answer = undefined;
    this.#isWhole = false;
    this.#call = new Failover(this.#route.targets, this, this);
    this.#call.start();
  }

  #relay(head: ResponseHead, length: number | undefined): AnswerBody {
    const call = this.#call as OriginCall;
    const codings = this.#response.readsBody === true ? codingsOf(head.headers) : [];
    this.#status = head.status;
    if (codings.length === 0) return this.#startRelay(call, head, length);
    const sink: AnswerBody = {
      onData: (chunk) => relay.onData(chunk),
      onEnd: () => relay.onEnd(),
      onError: (error) => relay.onError(error),
    };
    const body = new DecodedBody(codings, sink, call, this.#parts.holds.subscriber.faults);
    const relay: AnswerBody = this.#startRelay(body, { ...head, headers: ofDecodedBody(head.headers) }, undefined);
    return body;
  }

  #startRelay(call: OriginCall, head: ResponseHead, length: number | undefined): Relay {
    const relay = new Relay(this.#response, call, (end) => this.#relayed(end));
    relay.start(head, length);
    return relay;
  }

  #relayed(end: RelayEnd): void {
    this.#over(end === 'complete' ? undefined : end === 'gone' ? 'ERR_REQUEST_CLIENT_GONE' : 'ERR_ORIGIN_CLOSED');
  }

  #instruct(head: ResponseHead, length: number | undefined): AnswerBody {
    if (!this.replayable) throw tooLargeToHold();
    const { settings, holds } = this.#parts;
    const { target } = this.#call as Failover;
    const scene = {
      request: this.#request,
      response: this.#response,
      target,
      call: this.#call as OriginCall,
      scope: scopeOf(this.#request, this.#route, this.#standing, target),
      connectionSubscriptionMax: settings.connectionSubscriptionMax,
      bodyMax: settings.instructBodyMax,
      holds,
    };
    return new InstructAnswer(scene, head, length, this);
  }

  #fail(error: Error): void {
    if (this.#state === 'over') return;
    this.#abort();
    const failure = failureOf(error, this.#debug);
    this.#parts.log.debug({ id: this.#request.id, err: error }, 'request failed');
    this.#parts.troubles?.failed(this.#scene, error);
    this.#status = failure.status;
    try {
      answerPlain(this.#response, failure.status, failure.text);
    } catch {
      // A head has gone out already.
      this.#response.abort(true);
    }
    this.#over(failure.code);
  }

  #abort(): void {
    this.#call?.abort();
    this.#answer?.abort?.();
  }

  #over(error: string | undefined): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#body?.release();
    this.#ended(undefined, error);
  }

  #ended(hold: 'response' | 'stream' | undefined, error: string | undefined): void {
    if (this.#asking) {
      this.#asking = false;
      this.#parts.admission.leave();
      // The client may have gone while its request waited.
    } else this.#parts.admission.withdraw(this);
    const asked = this.#call?.target ?? this.#asked;
    this.#parts.events.requestEnded({
      request: this.#request,
      secure: this.#standing.secure,
      route: this.#route,
      target: asked && describeTarget(asked),
      status: this.#status,
      error,
      hold,
      bytes: this.#response.bodyBytes,
      duration: this.#parts.clock.monotonic() - this.#since,
      retry: this.#retry,
    });
  }
}

function tooLargeToHold(): RequestError {
  return new RequestError('ERR_REQUEST_TOO_LARGE_TO_HOLD', 'Request too large to accept GRIP instruct.');
}
