/** Rules of forwarding for tests to start from: every setting off, and as they usually are. */
import type { ForwardRules } from '../../dist/origin/headers.js';

/** Nothing is added, accepted or cut: fields go to the origin as they came. */
export const NO_RULES: ForwardRules = {
  ownsClientCert: false,
  requestId: undefined,
  traces: false,
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
