/** A client's WebSocket handshake, until an origin has taken or refused it. */
import { randomUUID } from 'node:crypto';
import { headerValues, parseGripExtension, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import { answerPlain, answerWhole, failureOf } from '../answers/answers.js';
import type { ClientHandshake, ClientRequest, ResponseHandler } from '../edge/port.js';
import { EdgeError, faultError, OriginError, RequestError } from '../errors.js';
import type { ClientTrust } from '../origin/forwarder.js';
import { type Resendable, TargetLoop } from '../origin/send.js';
import type { FailureContext } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { extensionsNamed, type MessageSocket } from '../websocket/message-socket.js';
import { takeResumeRequest } from './client-request.js';
import type { OriginHandshakeOwner, OriginSocket } from './origin-socket.js';
import { Session } from './session.js';
import type { Dial, SessionDeps } from './session-deps.js';

/** One handshake: tries the targets in order, and starts a `Session` when an origin accepts. */
export class Handshake implements OriginHandshakeOwner, ResponseHandler, Resendable {
  /** An origin may have begun a session for it. */
  readonly repeatable = false;
  readonly replayable = true;
  readonly #dial: Dial;
  readonly #client: ClientHandshake;
  readonly #deps: SessionDeps;
  readonly #since: number;
  /** The client's token, empty for a new one; undefined when it did not ask to come back, or may not. */
  readonly #resume: string | undefined;
  readonly #targets: TargetLoop;
  #origin: OriginSocket | undefined;
  #over = false;

  constructor(request: ClientRequest, client: ClientHandshake, route: Route, trust: ClientTrust, deps: SessionDeps) {
    const resume = route.resume ? takeResumeRequest(request.path) : undefined;
    // The origin sees the request that it would see of any other client, and the log no token.
    const kept = deps.requests.keep(resume === undefined ? request : { ...request, path: resume.path });
    this.#resume = resume?.token;
    const offered = parseGripExtension(headerValues(kept.headers, 'sec-websocket-extensions')) !== undefined;
    this.#dial = {
      connectionId: randomUUID(),
      request: kept,
      route,
      trust,
      extension: offered || speaksGrip(route, trust) ? 'grip' : '',
    };
    this.#client = client;
    this.#targets = new TargetLoop(route.targets);
    this.#deps = deps;
    this.#since = deps.subscriber.clock.monotonic();
  }

  /** Asks the first target. */
  start(): void {
    this.#client.response.setHandler(this);
    const { request, route, trust } = this.#dial;
    try {
      if (!trust.trusted) this.#deps.limits?.admitHold(request, route, undefined);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#refuse(error);
      return;
    }
    this.#ask();
  }

  originAccepted(headers: RawHeaders): void {
    if (this.#over) return;
    this.#over = true;
    const { route, trust } = this.#dial;
    const isGrip = speaksGrip(route, trust);
    const extensions = headerValues(headers, 'sec-websocket-extensions');
    // Only this one is between the origin and the client's GRIP proxy; the others are of the hop to the origin.
    const raw = isGrip ? [] : extensionsNamed(extensions, 'grip');
    const client = this.#accept(headers, raw.length > 0 ? raw.join(', ') : undefined);
    if (client === 'refused') return;
    if (client === undefined) {
      this.#origin?.abort();
      this.#opened(0, 'ERR_REQUEST_CLIENT_GONE');
      return;
    }
    this.#opened(101, undefined);
    new Session(
      {
        dial: this.#dial,
        client,
        origin: this.#origin as OriginSocket,
        implicit: this.#target.subs,
        messagePrefix: isGrip ? parseGripExtension(extensions)?.messagePrefix : undefined,
        resume: this.#resume,
      },
      this.#deps,
    ).start();
  }

  originRejected(head: ResponseHead, body: Buffer): void {
    if (this.#over) return;
    this.#over = true;
    const { status } = head;
    if (this.#target.kind === 'http' && this.#target.overHttp && status >= 200 && status < 300)
      this.#deps.subscriber.warnings?.eventless(this.#context, status);
    const failure = answerWhole(this.#client.response, head, body, this.#debug);
    this.#opened(failure?.status ?? head.status, failure?.code);
  }

  originFailed(error: OriginError): void {
    if (this.#over) return;
    const last = this.#targets.after(error, this);
    if (last === undefined) this.#ask();
    else this.#refuse(last);
  }

  targetFailed(_: Target, error: OriginError): void {
    this.#deps.subscriber.warnings?.targetFailed(this.#context, error);
  }

  get id(): string {
    return this.#dial.request.id;
  }

  /** Refuses the handshake, unless there is a session: that ends by itself. */
  fault(error: unknown): void {
    if (this.#over) return;
    this.#origin?.abort();
    this.#refuse(faultError(error));
  }

  onWritable(): void {}

  onGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#origin?.abort();
    this.#opened(0, 'ERR_REQUEST_CLIENT_GONE');
  }

  get #target(): Target {
    return this.#targets.target;
  }

  #ask(): void {
    try {
      this.#origin = this.#deps.dial(this.#dial, this.#target, this);
    } catch (error) {
      // A file of the target's that cannot be read, such as its client certificate.
      const { message } = error as Error;
      queueMicrotask(() =>
        this.originFailed(new OriginError('ERR_ORIGIN_CONNECT', message, 'connect', { cause: error })),
      );
    }
  }

  /** An acceptance whose fields cannot be put on the wire is answered as a failure of the origin. */
  #accept(headers: RawHeaders, extensions: string | undefined): MessageSocket | 'refused' | undefined {
    try {
      return this.#client.accept(headers, extensions);
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      this.#origin?.abort();
      this.#refuse(error);
      return 'refused';
    }
  }

  get #context(): FailureContext {
    const { request, route } = this.#dial;
    return { id: request.id, route, target: this.#target, marks: request };
  }

  get #debug(): boolean {
    return this.#dial.route.debug || this.#deps.debug;
  }

  #refuse(error: Error): void {
    this.#over = true;
    this.#deps.subscriber.warnings?.failed(this.#context, error, 'WebSocket refused');
    const failure = failureOf(error, this.#debug);
    answerPlain(this.#client.response, failure.status, failure.text, failure.headers);
    this.#opened(failure.status, failure.code);
  }

  #opened(status: number, error: string | undefined): void {
    const { request, trust, route, connectionId } = this.#dial;
    if (status !== 101) this.#deps.limits?.ended(request);
    this.#deps.events.sessionOpened({
      request,
      trust,
      route,
      connectionId,
      target: this.#target,
      origin: this.#origin,
      status,
      error,
      duration: this.#deps.subscriber.clock.monotonic() - this.#since,
    });
  }
}

/** Whether we are the GRIP proxy of this session; otherwise the one before us is, or none. */
function speaksGrip(route: Route, trust: ClientTrust): boolean {
  return !trust.trusted && !route.noGrip;
}
