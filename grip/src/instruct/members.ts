/** Members without a meaning of an instruct in JSON: the parser (json.ts) ignores them, and the log names them. */
import { isJsonObject, type JsonObject } from '../headers/fields.js';

/** A member without a meaning: in what, its name, and the names that would have one. */
export interface UnknownMember {
  readonly where: string;
  readonly name: string;
  readonly known: readonly string[];
}

const INSTRUCT = ['hold', 'response'];
const HOLD = ['mode', 'channels', 'timeout', 'keep-alive', 'meta'];
const CHANNEL = ['name', 'prev-id', 'filters'];
const KEEP_ALIVE = ['content', 'content-bin', 'mode', 'format', 'timeout'];
const RESPONSE = ['code', 'reason', 'headers', 'body', 'body-bin'];

/**
 * Most that are found in one instruct: it may have as many as its body takes.
 *
 * @limit {} unknown members of a JSON instruct, for the log
 * @over the others are not named
 */
export const UNKNOWN_MEMBERS_MAX = 5;

/** The first of a document, in its order; undefined where there is none. */
export function unknownMembers(document: JsonObject): readonly UnknownMember[] | undefined {
  const found: UnknownMember[] = [];
  const look = (value: unknown, where: string, known: readonly string[]): void => {
    if (!isJsonObject(value)) return;
    for (const name of Object.keys(value)) {
      if (found.length === UNKNOWN_MEMBERS_MAX) return;
      if (!known.includes(name)) found.push({ where, name, known });
    }
  };
  const member = (value: unknown, name: string) =>
    isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  const hold = member(document, 'hold');
  const channels = member(hold, 'channels');
  look(document, 'instruct', INSTRUCT);
  look(hold, 'hold', HOLD);
  if (Array.isArray(channels)) for (const channel of channels) look(channel, 'channel', CHANNEL);
  look(member(hold, 'keep-alive'), 'keep-alive', KEEP_ALIVE);
  look(member(document, 'response'), 'response', RESPONSE);
  return found.length > 0 ? found : undefined;
}
