/** Which requests an origin could take for those of a proxy that carries WebSockets over HTTP. */
import t from 'tap';
import { posesAsEvents } from '../../dist/request/posed-events.js';

const EVENTS = 'application/websocket-events';
/** A header value as it arrives: one character for each byte. */
const wire = (text: string) => Buffer.from(text).toString('latin1');

const posing: readonly (readonly [what: string, headers: readonly string[]])[] = [
  ['as it is', ['Content-Type', EVENTS]],
  ['in any case', ['CONTENT-TYPE', 'Application/WebSocket-Events']],
  ['with parameters', ['content-type', `${EVENTS}; charset=utf-8`]],
  ['with a parameter that is none', ['content-type', `${EVENTS};`]],
  ['with white space', ['content-type', `\t ${EVENTS} \t`]],
  ['with white space around the slash', ['content-type', 'application / websocket-events']],
  ['in the second field', ['Content-Type', 'text/plain', 'Content-Type', EVENTS]],
  ['in the first field', ['Content-Type', EVENTS, 'Content-Type', 'text/plain']],
  ['in the last of many', ['A', 'b', 'content-type', 'a/b', 'Content-type', 'c/d', 'CONTENT-type', EVENTS]],
  ['in a list', ['Content-Type', `text/plain, ${EVENTS}`]],
  ['at the beginning of a list', ['Content-Type', `${EVENTS},text/plain`]],
  ['in a parameter', ['Content-Type', `text/plain; x=${EVENTS}`]],
  ['in quotes', ['Content-Type', `"${EVENTS}"`]],
  ['beside bytes that parsers drop', ['Content-Type', `${EVENTS}\u00a0`]],
  ['beside a byte order mark', ['Content-Type', wire(`\ufeff${EVENTS}`)]],
  ['with bytes that parsers drop within', ['Content-Type', 'application/web\u0085socket-events']],
  ['with letters that fold to others', ['Content-Type', wire('application/webſocKet-eventſ'.replace('K', 'K'))]],
  ['in wide letters', ['Content-Type', wire('ａpplication／websocket－events')]],
  ['in Accept, which is enough for some libraries', ['Accept', EVENTS]],
  ['in a list of Accept', ['accept', `*/*;q=0.1, ${EVENTS};q=0.9`]],
  ['in a second Accept', ['Accept', '*/*', 'Accept', EVENTS]],
];

for (const [what, headers] of posing)
  t.test(`poses: ${what}`, async (t) => {
    t.equal(posesAsEvents(headers), true);
  });

const others: readonly (readonly [what: string, headers: readonly string[]])[] = [
  ['none of the fields', ['X-Type', EVENTS, 'Cookie', EVENTS, 'Referrer-Ty', EVENTS]],
  ['another type', ['Content-Type', 'application/json', 'Accept', 'text/event-stream, */*']],
  ['events of another type', ['Content-Type', 'application/events', 'Accept', 'application/websocket']],
  ['bytes above 127', ['Content-Type', wire('application/x; name="zoë"')]],
];

for (const [what, headers] of others)
  t.test(`does not: ${what}`, async (t) => {
    t.equal(posesAsEvents(headers), false);
  });
