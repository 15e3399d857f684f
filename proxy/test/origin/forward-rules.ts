/** Owns: the rules of forwarding with every setting off, for tests to start from. */
import type { ForwardRules } from '../../dist/origin/headers.js';

/** Nothing is added, accepted or cut: fields go to the origin as they came. */
export const NO_RULES: ForwardRules = {
  cdnLoop: '',
  acceptForwardedProtocol: false,
  setForwardedProtocol: 'false',
  forwardedFor: { append: false },
  forwardedForTrusted: { append: false },
  origHeadersNeedMark: new Set(),
  acceptRouteHeader: false,
};
