/**
 * Recognises a request by which a client poses as a proxy that carries WebSockets over HTTP. Does not own: the refusal, or the
 * fields that name a session (`origin/headers`).
 */
import type { RawHeaders } from '@holdfast/grip';

/** The media type, as parsers find it that are lenient about white space. */
const EVENTS = /application\s*\/\s*websocket-events/i;

/** Any character but printable ASCII. */
const UNUSUAL = /[^\x20-\x7e]/;

/**
 * Whether an origin could read the media type of events from a request: from any Content-Type or Accept field, for servers
 * differ in which of several counts; in any part of it, for they differ in where a value ends; in any case, and with
 * characters that they drop or fold. Accept alone is enough for some GRIP libraries.
 */
export function posesAsEvents(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 12 && name.length !== 6) continue;
    const lower = name.toLowerCase();
    if ((lower === 'content-type' || lower === 'accept') && namesEvents(headers[i + 1] as string)) return true;
  }
  return false;
}

/** `value` has one character for each byte. */
function namesEvents(value: string): boolean {
  if (EVENTS.test(value)) return true;
  if (!UNUSUAL.test(value)) return false;
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return EVENTS.test(usual(value)) || EVENTS.test(usual(text.normalize('NFKC').toUpperCase()));
}

function usual(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '');
}
