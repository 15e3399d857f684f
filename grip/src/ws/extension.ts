/**
 * The `grip` extension of a WebSocket.
 *
 * Owns: finding it in the Sec-WebSocket-Extensions of an origin's answer, which is what turns GRIP mode on. Does not
 * own: offering it, or what the mode does (ws-origin-message.ts, ws-control.ts).
 */
import { paramValue, parseElement, splitElements } from '../headers/params.js';

/** What the origin chose. */
export interface GripExtension {
  /**
   * What a message for the client begins with, as a Latin-1 string of one character per byte (see ws-origin-message.ts);
   * `m:` if the origin does not say. Empty: all messages but control messages are for the client.
   */
  readonly messagePrefix: string;
}

const NAME = 'grip';
const DEFAULT_PREFIX = 'm:';

/**
 * Finds the extension in the values of the Sec-WebSocket-Extensions headers; if it is there more than once, the first
 * counts. Undefined if it is absent or its parameters cannot be parsed, and then there is no GRIP mode. The name is
 * exact. `message-prefix=""`, `message-prefix=` and a bare `message-prefix` are all the empty prefix.
 */
export function parseGripExtension(values: readonly string[]): GripExtension | undefined {
  const text = splitElements(values).find(isGrip);
  const element = text === undefined ? undefined : parseElement(text);
  return element && { messagePrefix: paramValue(element.params, 'message-prefix') ?? DEFAULT_PREFIX };
}

/** Whether an element names the extension, whatever its parameters are. */
function isGrip(text: string): boolean {
  const semicolon = text.indexOf(';');
  return (semicolon < 0 ? text : text.slice(0, semicolon).trimEnd()) === NAME;
}
