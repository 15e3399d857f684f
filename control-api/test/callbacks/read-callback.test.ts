/** What a callback may be, and what is said of one that may not. */
import t from 'tap';
import {
  CALLBACK_CHANNELS_MAX,
  CALLBACK_META_CHARS,
  CALLBACK_META_MAX,
  CALLBACK_TTL,
  CALLBACK_TTL_MAX,
  CALLBACK_URL_MAX,
  checkCallback,
  readCallbackBody,
} from '../../dist/callbacks/read-callback.js';
import { SECRET } from './callbacks-fixture.js';

const rules = { isAllowed: (host: string) => host !== '10.0.0.1', channelNameMax: 50, now: 1_000_000 };
const request = {
  id: 'a',
  url: 'https://c.example/hook',
  secret: SECRET,
  prefix: '',
  channels: [{ name: 'x', filters: [] as string[] }],
  meta: {} as Record<string, string>,
};

t.test('its end is a week ahead, or as far as was asked for, up to a year', async (t) => {
  const endOf = (ttl?: number) => (checkCallback({ ...request, ttl }, rules).expires - rules.now) / 1_000;
  t.equal(endOf(), CALLBACK_TTL);
  t.equal(endOf(60), 60);
  t.equal(endOf(2 ** 31 - 1), CALLBACK_TTL_MAX);
});

t.test('a channel that is named twice counts once, the last one; filters that mean nothing are left out', async (t) => {
  const channels = [
    { name: 'x', filters: ['skip-self'] },
    { name: 'y', filters: [] },
    { name: 'x', filters: ['var-subst', 'unknown'] },
  ];
  t.strictSame(checkCallback({ ...request, channels }, rules).channels, [
    { name: 'x', filters: ['var-subst'] },
    { name: 'y', filters: [] },
  ]);
});

t.test('what may not be is refused, with the reason', async (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => ({ name: `c${n}`, filters: [] }));
  const meta = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, '']));
  const table: [Partial<typeof request>, RegExp][] = [
    [{ id: '' }, /id is empty/],
    [{ id: 'a\nb' }, /control character/],
    [{ id: '\ud800' }, /control character/],
    [{ id: 'é'.repeat(513) }, /id is too long/],
    [{ url: 'mailto:a@b' }, /must begin with/],
    [{ url: '//c.example' }, /must begin with/],
    [{ url: 'https://u:p@c.example' }, /user or a password/],
    [{ url: 'https://c.example/#x' }, /fragment/],
    [{ url: 'http://10.0.0.1/' }, /not public \(callbacks_allow\)/],
    // 10.0.0.1, as a URL has it.
    [{ url: 'http://167772161/' }, /not public/],
    [{ url: 'http://0x0a.1/' }, /not public/],
    [{ url: `https://c.example/${'x'.repeat(CALLBACK_URL_MAX)}` }, /more than 2048 characters/],
    [{ secret: 'secret' }, /its secret: the key must be whsec_/],
    [{ secret: 'x'.repeat(CALLBACK_META_CHARS + 1) }, /secret is too long/],
    [{ secret: Array(6).fill(SECRET).join(' ') }, /6 keys are too many/],
    [{ channels: [] }, /no channels/],
    [{ channels: many(CALLBACK_CHANNELS_MAX + 1) }, /more than 20 channels/],
    [{ channels: [{ name: 'x'.repeat(51), filters: [] }] }, /longer than 50 bytes/],
    [{ channels: [{ name: 'x', filters: Array(6).fill('skip-self') }] }, /more than 5 filters/],
    [{ channels: [{ name: 'x', filters: ['http-modify'] }] }, /http-modify asks a server/],
    [{ meta: meta(CALLBACK_META_MAX + 1) }, /more than 32 members/],
    [{ meta: { a: 'x'.repeat(CALLBACK_META_CHARS) } }, /more than 4096 characters/],
  ];
  for (const [wrong, message] of table) {
    t.throws(() => checkCallback({ ...request, ...wrong }, rules), { code: 'ERR_CALLBACK_REFUSED', message });
  }
  t.equal(checkCallback({ ...request, channels: many(CALLBACK_CHANNELS_MAX) }, rules).channels.length, 20);
  t.notMatch(
    JSON.stringify(checkCallback({ ...request, meta: JSON.parse('{"__proto__":"x"}') }, rules).meta),
    /proto.*proto/,
  );
});

t.test('a body is an object of known members with their types', async (t) => {
  const read = (body: unknown) =>
    readCallbackBody('a', Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  const { url, secret } = request;
  const whole = { url, secret, channels: ['x'] };
  t.match(read({ ...whole, ttl: 5, meta: { a: 'b' } }), { id: 'a', prefix: '', ttl: 5, meta: { a: 'b' } });
  const table: [unknown, RegExp][] = [
    ['', /the body/],
    ['{', /the body/],
    ['[]', /must be an object/],
    ['null', /must be an object/],
    [{ ...whole, url: 1 }, /url must be a text/],
    [{ ...whole, secret: undefined }, /secret must be a text/],
    [{ ...whole, channels: 'x' }, /channels must be a list/],
    [{ ...whole, channels: [1] }, /a channel must be a name/],
    [{ ...whole, channels: [{}] }, /name of a channel/],
    [{ ...whole, channels: [{ name: 'x', filters: [1] }] }, /filters of a channel/],
    [{ ...whole, meta: { a: 1 } }, /object of texts/],
    [{ ...whole, meta: [] }, /object of texts/],
    [{ ...whole, ttl: 1.5 }, /ttl must be/],
    [{ ...whole, ttl: '5' }, /ttl must be/],
    [{ ...whole, cancel: true }, /no member "cancel"/],
  ];
  for (const [body, message] of table) t.throws(() => read(body), { code: 'ERR_CALLBACK_REFUSED', message });
});
