/** What the claims of a subscriber's token permit. */
import t from 'tap';
import { endOf, MAX_GRANTS, type Permit, readPermit } from '../../dist/direct/permit.js';

const NOW = 1_000_000;
const exp = 2_000;

const permit = (claims: object): Permit => readPermit({ exp, ...claims }, NOW) as Permit;
const fault = (claims: object): string => (readPermit({ exp, ...claims }, NOW) as { fault: string }).fault;
const allowed = (claims: object, names: readonly string[]) => names.filter((name) => permit(claims).allows(name));

t.test('sub, iat and the end', async (t) => {
  t.match(permit({}), { user: '', issuedAt: 0, until: 2_000_000 });
  t.match(permit({ sub: 'u', iat: 5 }), { user: 'u', issuedAt: 5 });
  t.equal(permit({ expire_at: 1_500 }).until, 1_500_000);
  t.equal(permit({ expire_at: 3_000 }).until, 3_000_000);
  t.equal(permit({ expire_at: 0 }).until, Number.POSITIVE_INFINITY);
});

t.test('the end is a second that an HTTP date can name, and not before its time', async (t) => {
  t.equal(endOf(permit({ expire_at: 1_001 })), 1_001_000);
  t.equal(endOf(permit({ expire_at: 1_001.5 })), 1_002_000);
  t.equal(endOf(permit({ expire_at: 0 })), undefined);
  const last = endOf(permit({ expire_at: 1e300 })) ?? 0;
  t.equal(new Date(last).toUTCString(), 'Fri, 31 Dec 9999 23:59:59 GMT');
});

t.test('channels are patterns, channel is one name', async (t) => {
  t.strictSame(allowed({ channels: ['a', 'b-*'] }, ['a', 'aa', 'b-', 'b-1', 'c']), ['a', 'b-', 'b-1']);
  t.strictSame(allowed({ channel: 'a*' }, ['a*', 'ab']), ['a*']);
  t.strictSame(allowed({ channel: 'a', channels: ['b'] }, ['a', 'b', 'c']), ['a', 'b']);
  t.strictSame(allowed({}, ['a', '']), []);
});

const MERCURE = 'https://mercure.rocks/authorization-detail';
const detail = (topics: unknown, actions: unknown = ['subscribe']) => ({
  authorization_details: [{ type: 'other' }, { type: MERCURE, actions, topics }],
});

t.test('Mercure: exact matchers and *, for subscribing', async (t) => {
  t.strictSame(allowed(detail([{ match: 'a' }, { match: 'b', match_type: 'exact' }]), ['a', 'b', 'c']), ['a', 'b']);
  t.strictSame(allowed(detail([{ match: '*' }]), ['a', 'b']), ['a', 'b']);
  t.strictSame(allowed(detail([{ match: '*' }], ['publish']), ['a']), []);
  t.strictSame(allowed({ mercure: { subscribe: ['a', 'b{id}'] } }, ['a', 'b1']), ['a']);
  t.strictSame(allowed({ mercure: { subscribe: ['*'] } }, ['a', 'b1']), ['a', 'b1']);
  t.strictSame(allowed({ mercure: { publish: ['*'] } }, ['a']), []);
});

const faults: readonly (readonly [claims: object, says: RegExp])[] = [
  [{ sub: 5 }, /sub/],
  [{ sub: 'x'.repeat(256) }, /sub/],
  [{ iat: 'x' }, /iat/],
  [{ expire_at: -1 }, /expire_at/],
  [{ expire_at: '0' }, /expire_at/],
  [{ expire_at: 1_000 }, /has passed/],
  [{ channel: ['a'] }, /channel is no text/],
  [{ channels: 'a' }, /channels is no list/],
  [{ channels: ['a', 1] }, /channels is no list/],
  [{ channels: Array.from({ length: MAX_GRANTS + 1 }, (_, i) => `c${i}`) }, /more than 100 channels/],
  [{ mercure: { subscribe: Array.from({ length: MAX_GRANTS + 1 }, (_, i) => `c${i}`) } }, /more than 100 channels/],
  [detail(Array.from({ length: MAX_GRANTS + 1 }, (_, i) => ({ match: `c${i}` }))), /more than 100 channels/],
  [{ mercure: [] }, /mercure is no object/],
  [{ authorization_details: {} }, /authorization_details/],
  [{ authorization_details: [{}] }, /a type/],
  [detail('a'), /topics/],
  [detail([{}]), /no match/],
  [detail([{ match: 'a', match_type: 'urlpattern' }]), /match_type/],
  [detail([{ match: 'a', match_type: 'urlpattern' }], ['publish']), /match_type/],
];
for (const [claims, says] of faults)
  t.test(`refuses ${JSON.stringify(claims).slice(0, 90)}`, async (t) => t.match(fault(claims), says));
