/** In the place of an origin for a client that comes back with what that has granted: it answers with the same instruct. */
import { type Containment, uncontained } from '@holdfast/control-api';
import type { Grant } from '../history/grants.js';
import { type Answer, InProcessOrigin } from '../origin/in-process.js';

/** Of one request. */
export class GrantedOrigin extends InProcessOrigin {
  readonly #grant: Grant;

  constructor(grant: Grant, faults: Containment = uncontained) {
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
