/** The tokens by which a stream comes back without its origin: for what they count, and for nothing else. */
import { Revocations } from '@holdfast/control-api';
import { parseInstructHeaders, type RawHeaders } from '@holdfast/grip';
import t from 'tap';
import type { ClientRequest } from '../../dist/edge/port.js';
import { ResumeGrants } from '../../dist/history/grants.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { ManualClock } from '../kit/manual-clock.js';

const route = (text: string): Route => toRoute(parseRouteLine(text, 1) as RouteLine, () => undefined);
const kept = route('*,history a:1');
const tokens = new ResumeTokens(Buffer.from('key'));
const id = tokens.write(new Map([[tokens.tag('x'), { epoch: 'e', offset: 1 }]])) as string;

function fixture(key = 'key') {
  const clock = new ManualClock();
  const revocations = new Revocations(clock);
  const isOn = ({ history }: Route) => history === true;
  const options = { key: Buffer.from(key), replay: { tokens, isOn }, clock, revocations, tokenLifetimeMax: 100_000 };
  return { clock, revocations, grants: new ResumeGrants(options) };
}

const request = (more: Partial<ClientRequest> = {}, headers: RawHeaders = []): ClientRequest =>
  ({ method: 'GET', host: 'a', path: '/x?y=1', headers, ...more }) as ClientRequest;

const instruct = (...more: string[]) =>
  parseInstructHeaders({
    status: 200,
    reason: 'OK',
    headers: [
      ...['Content-Type', 'text/event-stream', 'Set-Cookie', 'a=b', 'X-A', 'ü'],
      ...['Grip-Hold', 'stream', 'Grip-Channel', 'x; filter=skip-self', 'Grip-Set-Meta', 'user=u'],
      ...['Grip-Keep-Alive', 'beat; timeout=7', 'Grip-Resume-Token', '60', ...more],
    ],
  });

const login = ['Authorization', 'Bearer a', 'Cookie', 's=1; t=2'];

t.test('what was granted comes back, to the same request', async (t) => {
  const { grants } = fixture();
  const [name = '', token = ''] = grants.fieldsFor(instruct(), request({}, login), kept, false);
  t.equal(name, 'Holdfast-Resume-Token');
  t.notMatch(Buffer.from(token, 'base64url').toString('latin1'), /skip-self/, 'clients learn nothing of it');
  const again = [...login, 'Last-Event-ID', id, name, token];
  t.match(grants.find(request({}, again), kept), {
    hold: { channels: [{ name: 'x', filters: ['skip-self'] }], 'keep-alive': { timeout: 7 }, meta: { user: 'u' } },
    response: { code: 200 },
  });
  const { headers } = (grants.find(request({}, again), kept)?.response ?? {}) as { headers: string[][] };
  t.notOk(headers.some(([field]) => field === 'Set-Cookie'));
});

t.test('as a cookie', async (t) => {
  const { grants } = fixture();
  const wish = instruct();
  const asCookie = { ...wish, resumeToken: { ttl: 60, cookie: true } };
  const [name, value = ''] = grants.fieldsFor(asCookie, request({}, login), kept, true);
  t.equal(name, 'Set-Cookie');
  t.match(value, /^holdfast_resume=[\w-]+; Path=\/x; Max-Age=60; HttpOnly; SameSite=Lax; Secure$/);
  const cookie = value.split(';')[0] as string;
  const again = ['Authorization', 'Bearer a', 'Cookie', `s=1; ${cookie}; t=2`, 'Last-Event-ID', id];
  t.ok(grants.find(request({}, again), kept));
});

t.test('for nothing else: the origin is asked', async (t) => {
  const { grants, clock, revocations } = fixture();
  const [name = '', token = ''] = grants.fieldsFor(instruct(), request({}, login), kept, false);
  const find = (more: Partial<ClientRequest> = {}, as: RawHeaders = login, by = route('*,history a:1')) =>
    grants.find(request(more, [...as, 'Last-Event-ID', id, name, token]), by);
  t.ok(find());
  t.notOk(find({ path: '/x?y=2' }));
  t.notOk(find({ host: 'b' }));
  t.notOk(find({ method: 'POST' }));
  t.notOk(find({}, ['Authorization', 'Bearer b', 'Cookie', 's=1; t=2']), 'another login');
  t.notOk(find({}, ['Authorization', 'Bearer a', 'Cookie', 's=2; t=2']), 'another session');
  t.notOk(find({}, [...login, 'Origin', 'https://a.example']));
  t.notOk(find({}, login, route('b,history a:1')), 'another route');
  t.notOk(find({}, login, route('* a:1')), 'without a history');
  t.notOk(grants.find(request({}, [...login, name, token]), kept), 'without the id of an event');
  t.notOk(grants.find(request({}, [...login, name, token, 'Last-Event-ID', '7']), kept), 'with an id of the origin');
  t.notOk(fixture('other').grants.find(request({}, [...login, 'Last-Event-ID', id, name, token]), kept));
  for (let i = 0; i < token.length; i += 7) {
    const altered = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
    t.notOk(grants.find(request({}, [...login, 'Last-Event-ID', id, name, altered]), kept));
  }
  for (const bad of ['', 'x', '=', 'A'.repeat(42), 'A'.repeat(10_000)])
    t.notOk(grants.find(request({}, [...login, 'Last-Event-ID', id, name, bad]), kept));
  const now = Math.floor(clock.wall() / 1_000);
  revocations.add({ sub: 'u', before: now + 1, until: clock.wall() + 30_000 });
  t.notOk(find(), 'revoked');
  clock.advance(30_000);
  t.ok(find());
  clock.advance(30_000);
  t.notOk(find(), 'expired');
});

t.test('a grant ends with what the origin has granted, to the last whole second', async (t) => {
  const { grants, clock } = fixture();
  const start = clock.wall();
  const dated = (ms: number) => new Date(start + ms).toUTCString();
  for (const [expires, end] of [
    ['30', 30_000],
    [dated(30_000), 30_000],
    ['90', 90_000],
  ] as const) {
    const [name = '', token = ''] = grants.fieldsFor(instruct('Grip-Expires', expires), request(), kept, false);
    const find = () => grants.find(request({}, ['Last-Event-ID', id, name, token]), kept);
    t.equal(find()?.hold.expires, dated(end), 'the hold is not longer than the first one');
    t.equal(find()?.until, start + Math.min(end, 60_000));
  }
  const [name = '', token = ''] = grants.fieldsFor(instruct('Grip-Expires', '30'), request(), kept, false);
  const find = () => grants.find(request({}, ['Last-Event-ID', id, name, token]), kept);
  clock.advance(29_990);
  t.ok(find());
  clock.advance(10);
  t.notOk(find());
  const cookie = { ...instruct('Grip-Expires', '30'), resumeToken: { ttl: 60, cookie: true } };
  t.match(grants.fieldsFor(cookie, request(), kept, false)[1], /; Max-Age=30;/);
  t.strictSame(grants.fieldsFor(instruct('Grip-Expires', '0'), request(), kept, false), [], 'nothing is left');
  t.strictSame(grants.fieldsFor(instruct('Grip-Expires', dated(-9_000)), request(), kept, false), []);
});

t.test('no token where a stream cannot be continued', async (t) => {
  const { grants } = fixture();
  const none = (wish = instruct(), by = kept, more: Partial<ClientRequest> = {}) =>
    t.strictSame(grants.fieldsFor(wish, request(more), by, false), []);
  none({ ...instruct(), resumeToken: undefined } as never);
  none(instruct('Grip-Link', '</next>; rel=next'));
  none(instruct(), route('* a:1'));
  none(instruct(), kept, { method: 'POST' });
  none(instruct('Grip-Channel', 'x-*; pattern'));
  none({ ...instruct(), meta: { user: 'u'.repeat(256) } });
  const long = Array.from({ length: 200 }, (_, i) => ['Grip-Channel', `a-channel-with-a-name-${i}`]).flat();
  none(instruct(...long));
});
