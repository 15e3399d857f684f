/**
 * Owns: a client's WebSocket handshake until an origin has taken or refused it: trying the targets in order, and the
 * answer to the client. Does not own: the session that follows.
 */
import { randomUUID } from 'node:crypto';
import { headerValues, parseGripExtension, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import type { ClientHandshake, ClientRequest, ResponseOwner } from '../edge/edge.js';
import { answerPlain, failureOf } from '../fail.js';
import { OriginError } from '../origin/errors.js';
import { describeTarget } from '../origin/failover.js';
import type { ClientStanding } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { extensionsNamed } from '../websocket/extensions.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { OriginSocket, OriginSocketOwner } from './origin-socket.js';
import { takeResumeRequest } from './resume-request.js';
import { Session } from './session.js';
import type { SessionParts } from './session-parts.js';

/** One handshake; hands over to a `Session` when the origin accepts, and passes the origin's events on to it. */
export class Opening implements OriginSocketOwner, ResponseOwner {
  readonly #request: ClientRequest;
  readonly #handshake: ClientHandshake;
  readonly #route: Route;
  readonly #standing: ClientStanding;
  readonly #parts: SessionParts;
  readonly #since: number;
  /** The client's token, empty for a new one; undefined when it did not ask to come back, or may not. */
  readonly #resume: string | undefined;
  readonly #tried: string[] = [];
  readonly #connectionId = randomUUID();
  #index = 0;
  #origin: OriginSocket | undefined;
  #session: Session | undefined;
  #over = false;

  constructor(
    request: ClientRequest,
    handshake: ClientHandshake,
    route: Route,
    standing: ClientStanding,
    parts: SessionParts,
  ) {
    const resume = route.resume ? takeResumeRequest(request.path) : undefined;
    // The origin sees the request that it would see of any other client, and the log no token.
    this.#request = resume === undefined ? request : { ...request, path: resume.path };
    this.#resume = resume?.token;
    this.#handshake = handshake;
    this.#route = route;
    this.#standing = standing;
    this.#parts = parts;
    this.#since = parts.subscriber.clock.now();
  }

  /** Asks the first target. */
  start(): void {
    this.#handshake.response.own(this);
    this.#dial();
  }

  originAccepted(headers: RawHeaders): void {
    if (this.#over) return;
    this.#over = true;
    const extensions = headerValues(headers, 'sec-websocket-extensions');
    // Only this one is between the origin and the client's GRIP proxy; the others are of the hop to the origin.
    const raw = this.#speaksGrip ? [] : extensionsNamed(extensions, 'grip');
    const client = this.#handshake.accept(headers, raw.length > 0 ? raw.join(', ') : undefined);
    if (client === undefined) {
      this.#origin?.abort();
      this.#opened(0, 'ERR_REQUEST_CLIENT_GONE');
      return;
    }
    this.#opened(101, undefined);
    this.#session = new Session(
      {
        request: this.#request,
        connectionId: this.#connectionId,
        route: this.#route,
        standing: this.#standing,
        client,
        origin: this.#origin as OriginSocket,
        implicit: this.#target.subs,
        messagePrefix: this.#speaksGrip ? parseGripExtension(extensions)?.messagePrefix : undefined,
        resume: this.#resume,
      },
      this.#parts,
    );
  }

  originRejected(head: ResponseHead, body: Buffer): void {
    if (this.#over) return;
    this.#over = true;
    this.#handshake.response.writeHead(head, body.length);
    this.#handshake.response.end(body);
    this.#opened(head.status, undefined);
  }

  originFailed(error: OriginError): void {
    if (this.#over) return;
    if (error.repeat !== 'connect') {
      this.#refuse(error);
      return;
    }
    this.#tried.push(describeTarget(this.#target));
    if (this.#index + 1 < this.#route.targets.length) {
      this.#index++;
      this.#dial();
    } else if (error.code === 'ERR_ORIGIN_BLOCKED') this.#refuse(error);
    else {
      const text = `Unable to connect to any targets. Tried: ${this.#tried.join(', ')}`;
      this.#refuse(new OriginError('ERR_ORIGIN_CONNECT', text, 'no', { cause: error }));
    }
  }

  originMessage(type: MessageType, data: Buffer): void {
    this.#session?.originMessage(type, data);
  }

  originClosed(code: number | undefined, reason: Buffer): void {
    this.#session?.originClosed(code, reason);
  }

  originLost(error: OriginError): void {
    this.#session?.originLost(error);
  }

  originWritable(): void {
    this.#session?.originWritable();
  }

  onWritable(): void {}

  onGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#origin?.abort();
    this.#opened(0, 'ERR_REQUEST_CLIENT_GONE');
  }

  get #target(): Target {
    return this.#route.targets[this.#index] as Target;
  }

  /** Whether we are the GRIP proxy of this session; otherwise the one before us is, or none. */
  get #speaksGrip(): boolean {
    return !this.#standing.trusted && !this.#route.noGrip;
  }

  #dial(): void {
    const offered = parseGripExtension(headerValues(this.#request.headers, 'sec-websocket-extensions')) !== undefined;
    const dial = {
      connectionId: this.#connectionId,
      request: this.#request,
      route: this.#route,
      standing: this.#standing,
      extension: this.#speaksGrip || offered ? 'grip' : '',
    };
    try {
      this.#origin = this.#parts.dial(dial, this.#target, this);
    } catch (error) {
      // A file of the target's that cannot be read, such as its client certificate.
      const { message } = error as Error;
      queueMicrotask(() =>
        this.originFailed(new OriginError('ERR_ORIGIN_CONNECT', message, 'connect', { cause: error })),
      );
    }
  }

  #refuse(error: Error): void {
    this.#over = true;
    const failure = failureOf(error, this.#route.debug || this.#parts.debug);
    answerPlain(this.#handshake.response, failure.status, failure.text);
    this.#opened(failure.status, failure.code);
  }

  #opened(status: number, error: string | undefined): void {
    this.#parts.events.sessionOpened({
      request: this.#request,
      standing: this.#standing,
      route: this.#route,
      connectionId: this.#connectionId,
      target: this.#target,
      origin: this.#origin,
      status,
      error,
      duration: this.#parts.subscriber.clock.now() - this.#since,
    });
  }
}
