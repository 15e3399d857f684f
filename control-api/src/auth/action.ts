/** What a key may be allowed to do: the scopes of routes that somebody has to be allowed. */
import type { Scope } from '../http/router.js';

/** One of them. */
export type Action = Exclude<Scope, 'none'>;

/** All, in the order of the documentation. */
export const controlActions: readonly Action[] = ['publish', 'recover', 'view', 'tap', 'disconnect', 'metrics'];

/** Whether a text is the name of one. */
export function isAction(text: unknown): text is Action {
  return (controlActions as readonly unknown[]).includes(text);
}
