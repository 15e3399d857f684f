/** In the place of an origin for a client that comes back with what that has granted: it answers with the same instruct. */
import type { Containment } from '@holdfast/control-api';
import type { ClientRequest } from '../edge/port.js';
import type { Grant } from '../history/grants.js';
import { type Answer, InProcessOrigin } from '../origin/in-process.js';
import type { Route } from '../routes/route.js';
import type { RequestDeps } from './request-deps.js';

/** What a request is carried out with: another origin where its client comes back with a grant that counts. */
export function byGrant(deps: RequestDeps, request: ClientRequest, route: Route): RequestDeps {
  const grant = deps.grants?.find(request, route);
  if (grant === undefined) return deps;
  return { ...deps, originOf: () => new GrantedOrigin(grant, deps.holds.subscriber.faults) };
}

/** Of one request. */
class GrantedOrigin extends InProcessOrigin {
  readonly #grant: Grant;

  constructor(grant: Grant, faults: Containment) {
    super(faults);
    this.#grant = grant;
  }

  protected answer(): Answer {
    const { hold, response, issued } = this.#grant;
    // By its time what is held again can be revoked, as by the `iat` of a token.
    const instruct = { hold: { ...hold, meta: { ...hold.meta, 'token-iat': String(issued) } }, response };
    const headers = ['Content-Type', 'application/grip-instruct'];
    return { status: 200, reason: 'OK', headers, body: JSON.stringify(instruct) };
  }
}
