/** The line of the `combined` log format of Apache and nginx, which log analyzers read. */

/** What such a line says. Texts are as they came, one character for each byte; undefined and empty ones become `-`. */
export interface CombinedFacts {
  readonly address: string;
  /** When the line is written. */
  readonly time: Date;
  readonly method: string;
  readonly path: string;
  /** `1.1` */
  readonly version: string;
  readonly status: number;
  readonly bytes: number;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
}

/** What nginx writes for a client that was gone before it had an answer: a status must have three digits. */
const CLIENT_GONE = 499;

/**
 * `address - - [time] "METHOD path HTTP/x" status bytes "referer" "agent"`, without an end of line. The user of
 * `Authorization` is never shown. Every byte other than printable ASCII, quotes and backslashes are escaped as nginx
 * does: no client can end a field or a line.
 */
export function combinedLine(facts: CombinedFacts): string {
  const { address, time, method, path, version, status, bytes, referer, userAgent } = facts;
  const request = `"${escaped(method)} ${escaped(path)} HTTP/${version}"`;
  const outcome = `${status === 0 ? CLIENT_GONE : status} ${bytes}`;
  const who = address === '' ? '-' : escaped(address);
  return `${who} - - [${stamp(time)}] ${request} ${outcome} ${quoted(referer)} ${quoted(userAgent)}`;
}

function quoted(text: string | undefined): string {
  return text === undefined || text === '' ? '"-"' : `"${escaped(text)}"`;
}

/** A character beyond a byte cannot come from a client, and is shown as its UTF-8 bytes. */
function escaped(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    const bytes = code < 0x100 ? [code] : [...Buffer.from(character, 'utf8')];
    return bytes.map((byte) => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (value: number) => String(value).padStart(2, '0');

/** `30/Nov/2026:06:03:59 +0100`, in local time. */
function stamp(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${two(time.getDate())}/${MONTHS[time.getMonth()]}/${time.getFullYear()}`;
  return `${day}:${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}
