/**
 * What is behind the paths of the views.
 *
 * Owns: path and method → view or answer. Does not own: Pushpin's paths (route.ts), or the views.
 */
import { isLongName } from '@holdfast/grip';
import { type Answer, methodNotAllowed, nameMalformed, nameTooLong } from '../http/answer.js';
import type { ViewRequest } from './cluster-views.js';

/** A channel's items as they pass: answered for as long as the client stays. */
export interface TapRequest {
  readonly about: 'items';
  readonly name: string;
}

const paths: readonly {
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, (name: string) => ViewRequest | TapRequest>>;
}[] = [
  { pattern: /^\/nodes\/?$/, methods: { GET: () => ({ about: 'nodes' }) } },
  { pattern: /^\/channels\/([^/?]*)$/, methods: { GET: (name) => ({ about: 'channel', name }) } },
  { pattern: /^\/channels\/([^/?]*)\/items$/, methods: { GET: (name) => ({ about: 'items', name }) } },
  {
    pattern: /^\/connections\/([^/?]+)$/,
    methods: { GET: (id) => ({ about: 'connection', id }), DELETE: (id) => ({ about: 'disconnect', id }) },
  },
];

/**
 * What a request asks for, or the answer where it cannot be; undefined for paths that are no view's. Names are one segment
 * of the path, percent-encoded: `/` and `?` in them must be. The empty channel has a name like any other.
 */
export function viewRoute(method: string, url: string): ViewRequest | TapRequest | Answer | undefined {
  for (const { pattern, methods } of paths) {
    const match = pattern.exec(url);
    if (match === null) continue;
    const wanted = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (wanted === undefined) return methodNotAllowed(method, Object.keys(methods).join(', '));
    try {
      const name = decodeURIComponent(match[1] ?? '');
      return isLongName(name) ? nameTooLong : wanted(name);
    } catch {
      return nameMalformed;
    }
  }
  return undefined;
}
