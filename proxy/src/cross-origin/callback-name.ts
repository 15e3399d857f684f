/** Owns: which names a script may be given to call, for JSON-P and SockJS alike. Does not own: where the name comes from. */

/** A path of names and indices. Anything else would let whoever makes the link run a script of their own. */
const NAME = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*|\[\w+\])*$/;

/** Whether an answer may begin with a call of this name. */
export function isCallbackName(text: string): boolean {
  return NAME.test(text);
}
