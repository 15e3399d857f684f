/** A client's request as it goes to origins: it can be sent to each target of its route. */
import type { ClientRequest } from '../edge/port.js';
import type { OriginError } from '../origin/errors.js';
import type { ClientTrust } from '../origin/forwarder.js';
import type { OriginCall, OriginHandler } from '../origin/port.js';
import type { TargetRequest } from '../origin/send.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { RequestBody } from './request-body.js';
import type { RequestParts } from './request-parts.js';

/** Methods that may be repeated when an origin may have seen them (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** One client request on the origin's side. */
export class OutgoingRequest implements TargetRequest {
  readonly #request: ClientRequest;
  readonly #route: Route;
  readonly #trust: ClientTrust;
  readonly #body: RequestBody | undefined;
  readonly #lastIds: ReadonlyMap<string, string> | undefined;
  readonly #parts: RequestParts;

  /** `lastIds`, of a hold that has the request sent again, go out as `Grip-Last`. */
  constructor(
    request: ClientRequest,
    route: Route,
    trust: ClientTrust,
    body: RequestBody | undefined,
    lastIds: ReadonlyMap<string, string> | undefined,
    parts: RequestParts,
  ) {
    this.#request = request;
    this.#route = route;
    this.#trust = trust;
    this.#body = body;
    this.#lastIds = lastIds;
    this.#parts = parts;
  }

  get repeatable(): boolean {
    return IDEMPOTENT.has(this.#request.method);
  }

  get replayable(): boolean {
    return this.#body === undefined || this.#body.replayable;
  }

  dispatch(target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf } = this.#parts;
    const { host, path, headers } = forwarder.forward(this.#request, this.#route, this.#trust, target, this.#lastIds);
    const body = this.#body === undefined ? null : this.#body.open();
    const { method, takesTrailers } = this.#request;
    const trailers = takesTrailers ? () => this.#body?.trailers ?? [] : undefined;
    return originOf(target, this.#route, host).dispatch({ method, path, headers, body, trailers }, handler);
  }

  targetFailed(target: Target, error: OriginError): void {
    this.#parts.warnings?.targetFailed({ id: this.#request.id, route: this.#route, target }, error);
  }
}
