/** Makes a token the id of a server-sent event (WHATWG HTML §9.2). */

const LF = 0x0a;
const CR = 0x0d;

/** A field of this name, which may have no value, on any line. */
const OWN_ID = /(?:^|[\r\n])id(?:[:\r\n]|$)/;

/** Whether content ends with a blank line, so that no event is left open. */
export function isWhole(content: Buffer): boolean {
  const last = content.at(-1);
  return content.length > 1 && isEnd(last) && isEnd(content.at(last === LF && content.at(-2) === CR ? -3 : -2));
}

/**
 * Whole events whose last sets the token as last event id; undefined where the content is not whole: an id would become a
 * part of what is to follow. The field goes into the last event, because clients are common that take no id from an event
 * without data; but where events have ids of their own, which scripts may look at, an event without data follows them.
 */
export function withId(content: Buffer, token: string): Buffer | undefined {
  if (!isWhole(content)) return undefined;
  const blank = content.at(-1) === LF && content.at(-2) === CR ? 2 : 1;
  const hasOwn = OWN_ID.test(content.toString('latin1'));
  return hasOwn
    ? Buffer.concat([content, idEvent(token)])
    : Buffer.concat([content.subarray(0, -blank), idEvent(token)]);
}

/** An event that only sets the last event id: it has no data, and so is not seen by scripts. */
export function idEvent(token: string): Buffer {
  return Buffer.from(`id: ${token}\n\n`);
}

function isEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}
