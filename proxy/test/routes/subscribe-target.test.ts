/** The properties of a `subscribe` target. */
import t from 'tap';
import { RoutesError } from '../../dist/errors.js';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { SubscribeTarget } from '../../dist/routes/subscribe-target.js';

const KEY = 'a-secret-of-some-length';

function route(text: string): Route {
  return toRoute(parseRouteLine(text, 7) as RouteLine, () => undefined);
}

const target = (text: string) => route(text).targets[0] as SubscribeTarget;

t.test('one with a key has the defaults', async (t) => {
  const { keys, ...others } = target(`* subscribe,token_key=${KEY}`);
  t.match(keys, [{ kind: 'secret' }]);
  t.match(others, {
    kind: 'subscribe',
    subs: [],
    jwks: undefined,
    issuer: undefined,
    audience: undefined,
    publicChannels: undefined,
    isForAnySite: false,
    cookie: 'holdfast_token',
    query: { name: 'holdfast-token', counts: false },
  });
  t.equal(others.sites.allows('https://a.example'), false);
});

t.test('all properties', async (t) => {
  const text = `* subscribe,token_key=${KEY},token_key=${KEY}2,token_iss=me,token_aud=you,token_cookie=c,token_query=t,public_channels=a|b*,allow_origin=https://a.example|https://*.b.example,sub=s`;
  const { keys, publicChannels, sites, ...others } = target(text);
  t.equal(keys.length, 2);
  t.match(others, { issuer: 'me', audience: 'you', cookie: 'c', query: { name: 't', counts: true }, subs: ['s'] });
  t.strictSame(
    ['a', 'ab', 'b', 'bc'].map((name) => publicChannels?.has(name)),
    [true, false, true, true],
  );
  t.equal(sites.allows('https://x.b.example'), true);
});

t.test('for every site, without cookies, by a key set', async (t) => {
  const text =
    '* subscribe,token_jwks=https://idp.example/keys,token_iss=me,token_cookie=,allow_origin=*|https://a.example';
  const { isForAnySite, sites, jwks, cookie } = target(text);
  t.match(
    { isForAnySite, jwks, cookie },
    { isForAnySite: true, jwks: { url: 'https://idp.example/keys' }, cookie: undefined },
  );
  t.equal(sites.isAny, false);
  t.equal(sites.allows('https://a.example'), true);
});

const bad: readonly (readonly [text: string, reason: string | RegExp])[] = [
  ['* subscribe', 'a subscribe target needs token_key, token_jwks or public_channels'],
  ['* subscribe,token_key', 'a subscribe target needs token_key, token_jwks or public_channels'],
  ['* subscribe,public_channels=', 'public_channels must name at least one channel'],
  [`* subscribe,public_channels=${'x'.repeat(1_025)}`, 'a channel of public_channels has more than 1024 bytes'],
  ['* subscribe,token_key=base64:eyJrdHkiOiJvY3QifQ==', /^token_key: /],
  ['* subscribe,token_key=file:/nowhere', 'token_key: files are not read here'],
  [`* subscribe${',token_key=a'.repeat(9)}`, 'more than 8 token_key'],
  ['* subscribe,token_jwks=http://a.example,token_iss=a', 'token_jwks must be an https URL without credentials'],
  ['* subscribe,token_jwks=https://u:p@a.example,token_iss=a', 'token_jwks must be an https URL without credentials'],
  ['* subscribe,token_jwks=https://a.example', 'token_jwks needs token_iss, which says whose tokens they are'],
  [
    `* subscribe,token_jwks=https://a.example,token_iss=a,token_key=${KEY}`,
    'token_jwks cannot be given together with token_key',
  ],
  [`* subscribe,token_key=${KEY},token_jwks_ca=a`, 'token_jwks_ca is given, and no token_jwks'],
  [`* subscribe,token_key=${KEY},token_cookie=a b`, 'token_cookie is no name of a cookie'],
  [`* subscribe,token_key=${KEY},token_query=a&b`, /^token_query is no name/],
  [`* subscribe,token_key=${KEY},allow_origin`, 'allow_origin names no origin'],
  [`* subscribe,token_key=${KEY},allow_origin=a.example`, /^allow_origin: "a.example" is no origin/],
  [
    `*,no_grip subscribe,token_key=${KEY}`,
    'no_grip cannot be given for a subscribe target, which holds clients by GRIP',
  ],
];
for (const [text, reason] of bad)
  t.test(`refuses ${text.slice(0, 80)}`, async (t) => {
    try {
      route(text.includes(' b') ? text.replace('a b', '"a b"') : text);
      t.fail('was taken');
    } catch (error) {
      t.type(error, RoutesError);
      t.match(error, { reason });
    }
  });
