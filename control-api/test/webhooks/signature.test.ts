/** Signatures as the library of Standard Webhooks checks them, and which keys are taken. */
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import t from 'tap';
import { readEventKeys, signatures } from '../../dist/index.js';

const makeKey = (bytes = 32) => `whsec_${randomBytes(bytes).toString('base64')}`;
const ID = 'evt_1';
const BODY = '{"events":[{"type":"gap","channel":"é"}]}';

function headersOf(keys: string, seconds = Math.floor(Date.now() / 1_000)) {
  return {
    'webhook-id': ID,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures(readEventKeys(keys), ID, seconds, BODY),
  };
}

t.test('a receiver with the key takes it, one with another key does not', async (t) => {
  const key = makeKey();
  t.strictSame(new Webhook(key).verify(BODY, headersOf(key)), JSON.parse(BODY));
  t.throws(() => new Webhook(makeKey()).verify(BODY, headersOf(key)), /No matching signature/);
  t.throws(() => new Webhook(key).verify(`${BODY} `, headersOf(key)), /No matching signature/);
});

t.test('while keys rotate, receivers with either take it', async (t) => {
  const [old, next] = [makeKey(24), makeKey(64)];
  for (const divider of [' ', '\n', ', ']) {
    const headers = headersOf(`${old}${divider}${next}`);
    t.equal(headers['webhook-signature'].split(' ').length, 2);
    for (const key of [old, next]) t.strictSame(new Webhook(key).verify(BODY, headers), JSON.parse(BODY));
  }
});

t.test('a time of long ago is refused, for it is signed', async (t) => {
  const key = makeKey();
  t.throws(() => new Webhook(key).verify(BODY, headersOf(key, 1_000)), /too old/);
});

t.test('a key of another form is refused, and not shown', async (t) => {
  const secret = randomBytes(32).toString('base64');
  const good = makeKey();
  for (const [text, reason] of [
    ['', /no key/],
    [' \n', /no key/],
    [secret, /must be whsec_ and base64/],
    [`whsec_${secret}!`, /the key must be/],
    [`${good} whsec_`, /key 2 must be/],
    [makeKey(23), /has 23 bytes: 24 to 64/],
    [makeKey(65), /has 65 bytes/],
    [Array.from({ length: 6 }, () => makeKey()).join(' '), /6 keys are too many: at most 5/],
  ] as const) {
    t.throws(() => readEventKeys(text), { message: reason });
    try {
      readEventKeys(text);
    } catch (error) {
      t.notMatch((error as Error).message, secret);
    }
  }
  t.equal(readEventKeys(Array.from({ length: 5 }, () => makeKey()).join('\n')).length, 5);
});
