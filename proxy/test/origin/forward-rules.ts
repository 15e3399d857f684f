/** Rules of forwarding for tests to start from: every setting off, and as they usually are; and tests that are tables of rules. */
import t from 'tap';
import { type ForwardedRequest, type ForwardRules, requestHeaders } from '../../dist/origin/headers.js';

/** Nothing is added, accepted or cut: fields go to the origin as they came. */
export const NO_RULES: ForwardRules = {
  ownsClientCert: false,
  cdnLoop: '',
  acceptXForwardedProtocol: false,
  setForwarded: false,
  setXForwardedProtocol: 'false',
  xForwardedFor: { append: false },
  xForwardedForTrusted: { append: false },
  origHeadersNeedMark: new Set(),
  acceptPushpinRoute: false,
};

/** As with the default configuration: `X-Forwarded-Proto` and `-For` tell origins of the client. */
export const USUAL_RULES: ForwardRules = {
  ...NO_RULES,
  setForwarded: false,
  setXForwardedProtocol: 'true',
  xForwardedFor: { append: true },
  xForwardedForTrusted: { append: true },
};

/** A request with nothing particular. */
export const REQUEST: ForwardedRequest = {
  headers: [],
  clientAddress: '192.0.2.1',
  clientHost: 'api.example',
  host: 'origin.example',
  secure: false,
  websocket: false,
  trusted: false,
  routeHeaders: [],
  origHeaders: false,
  speaksGrip: true,
  grip: [],
};

/** One rule: what a client sent under which settings, and what the origin gets after `Host`. */
interface Rule {
  readonly says: string;
  readonly headers?: readonly string[];
  readonly request?: Partial<ForwardedRequest>;
  readonly rules?: Partial<ForwardRules>;
  readonly gets: readonly string[];
}

/** One test for each rule. */
export function section(name: string, rules: readonly Rule[]): void {
  t.test(name, async (t) => {
    for (const { says, headers = [], request, rules: over, gets } of rules) {
      t.test(says, async (t) => {
        const made = requestHeaders({ ...REQUEST, headers, ...request }, { ...NO_RULES, ...over });
        t.strictSame(made, ['Host', request?.host ?? REQUEST.host, ...gets]);
      });
    }
  });
}
