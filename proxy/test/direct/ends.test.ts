/** When what is held by a token ends: at the second of its end and not before, by a clock that stands still. */
import { readJwtKey } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { HoldFixture } from '../holds/hold-fixture.js';
import type { Asking } from '../kit/clients/http-client.js';
import { closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { RawSocket } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';

const KEY = 'the-key-of-subscribers-0123';

/** A node with a `subscribe` target below `/sub`. Times of tokens are in seconds from the start. */
class Site {
  readonly fixture: HoldFixture;
  readonly start: number;

  private constructor(fixture: HoldFixture) {
    this.fixture = fixture;
    this.start = fixture.clock.wall() / 1_000;
  }

  static async open(t: Test): Promise<Site> {
    return new Site(await HoldFixture.open(t, { lines: [`*,path_beg=/sub subscribe,token_key=${KEY}`] }));
  }

  token({ exp, expire_at: ends = exp, ...claims }: { exp: number; expire_at?: number; sub?: string }): string {
    // 0 is no time but `never`.
    const expireAt = ends === 0 ? 0 : this.start + ends;
    return readJwtKey(KEY).sign({ sub: 'u', channels: ['a'], ...claims, exp: this.start + exp, expire_at: expireAt });
  }

  asking(...[claims]: Parameters<Site['token']>): Asking {
    return { headers: { authorization: `Bearer ${this.token(claims)}` } };
  }

  async socket(t: Test, ...[claims]: Parameters<Site['token']>): Promise<RawSocket> {
    const port = Number(new URL(this.fixture.url).port);
    return RawSocket.open(t, port, [`Authorization: Bearer ${this.token(claims)}`], '/sub?channel=a');
  }

  /** The client says this, and is answered. */
  async say(client: RawSocket, frame: object): Promise<unknown> {
    void client.text(JSON.stringify(frame));
    const [, text] = await client.brief();
    return JSON.parse(text);
  }

  message(content: string): void {
    this.fixture.publish('a', { 'ws-message': { content } });
  }

  /** When each of those that are held ends, in seconds from the start. */
  get ends(): (number | undefined)[] {
    const { registry } = this.fixture;
    return [...registry.all()].map((one) => {
      const text = registry.expiryOf(one);
      return text === undefined ? undefined : Date.parse(text) / 1_000 - this.start;
    });
  }
}

t.test('a stream: items until that moment and none after, then it ends whole', async (t) => {
  const site = await Site.open(t);
  const { fixture } = site;
  const stream = await fixture.ask('/sub?channel=a', site.asking({ exp: 20 }));
  await stream.until(':\n\n');
  t.strictSame(site.ends, [20]);
  fixture.clock.advance(19_999);
  fixture.send('a', 'data: in time\n\n');
  await stream.until('data: in time\n\n');
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  fixture.send('a', 'data: late\n\n');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, ':\n\ndata: in time\n\n');
  t.match(fixture.ends, [{ kind: 'stream', reason: 'expired' }]);
  t.equal((await fixture.ask('/sub?channel=a', site.asking({ exp: 20 }))).status, 401, 'with the same token again');
  t.equal(fixture.origin.all.length, 0);
});

t.test('a long poll is refused then', async (t) => {
  const site = await Site.open(t);
  const { fixture } = site;
  const answer = fixture.ask('/sub/poll?channel=a', site.asking({ exp: 20 }));
  await until('the hold', () => fixture.registry.count('a') === 1);
  fixture.clock.advance(19_999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  const { status, headers } = await answer;
  t.equal(status, 401);
  t.match(headers['www-authenticate'], /error="invalid_token"/);
  t.equal(fixture.registry.count('a'), 0);
});

t.test('expire_at in place of exp: before it, after it, or never', async (t) => {
  const site = await Site.open(t);
  const { fixture } = site;
  const streams = [];
  for (const claims of [
    { exp: 20, expire_at: 10 },
    { exp: 20, expire_at: 30.5 },
    { exp: 20, expire_at: 9e12 },
    { exp: 20, expire_at: 0 },
  ])
    streams.push(await fixture.ask('/sub?channel=a', site.asking(claims)));
  t.strictSame(site.ends, [10, 31, 253_402_300_799 - site.start, undefined]);
  fixture.clock.advance(10_000);
  t.equal(await streams[0]?.end(), 'complete');
  fixture.clock.advance(20_999);
  t.equal(fixture.registry.count('a'), 3);
  fixture.clock.advance(1);
  t.equal(await streams[1]?.end(), 'complete');
  fixture.clock.advance(100_000);
  t.equal(fixture.registry.count('a'), 2);
});

t.test('a WebSocket is closed with 4401', async (t) => {
  const site = await Site.open(t);
  const client = await site.socket(t, { exp: 20 });
  await until('the end', () => site.ends[0] === 20);
  site.fixture.clock.advance(19_999);
  site.message('in time');
  t.strictSame(await client.brief(), [opcodes.text, 'in time']);
  site.fixture.clock.advance(1);
  site.message('late');
  const { opcode, payload } = await client.frame();
  t.strictSame([opcode, payload], [opcodes.close, closePayload(4401, 'expired')]);
});

t.test('another token moves the end of a WebSocket: further, nearer, or away', async (t) => {
  const site = await Site.open(t);
  const { clock } = site.fixture;
  const client = await site.socket(t, { exp: 20 });
  t.match(await site.say(client, { token: site.token({ exp: 40 }) }), { holdfast: 'ok' });
  t.strictSame(site.ends, [40]);
  clock.advance(39_999);
  t.match(await site.say(client, { token: site.token({ exp: 90, expire_at: 0 }) }), { holdfast: 'ok' });
  t.strictSame(site.ends, [undefined]);
  clock.advance(10_000);
  t.match(await site.say(client, { token: `${site.token({ exp: 90 })}x` }), { error: 'bad_token' });
  t.match(await site.say(client, { token: site.token({ exp: 90, sub: 'v' }) }), { error: 'other_user' });
  t.strictSame(site.ends, [undefined], 'by no token that is refused');
  t.match(await site.say(client, { token: site.token({ exp: 60 }) }), { holdfast: 'ok' });
  clock.advance(10_000);
  site.message('in time');
  t.strictSame(await client.brief(), [opcodes.text, 'in time']);
  clock.advance(1);
  t.strictSame((await client.frame()).payload, closePayload(4401, 'expired'));
});

t.test('a client that came back by a grant is asked for anew when its origin has said', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'history', historySize: 10 });
  const opening = fixture.ask();
  (await fixture.asked()).answer({
    headers: {
      ...{ 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream', 'Grip-Channel': 'a' },
      ...{ 'Grip-Expires': '60', 'Grip-Resume-Token': '300' },
    },
    body: ':\n\n',
  });
  const first = await opening;
  await first.until(':\n\n');
  fixture.send('a', 'data: 1\n\n');
  await first.until(/^id: .+\n/m);
  const id = /^id: (.*)$/m.exec(first.text)?.[1] ?? '';
  const asking = {
    headers: { 'last-event-id': id, 'holdfast-resume-token': String(first.headers['holdfast-resume-token']) },
  };
  await fixture.drop(first);
  fixture.clock.advance(40_000);
  const again = await fixture.ask('/', asking);
  await again.until(':\n\n');
  t.equal(fixture.origin.all.length, 1, 'nobody was asked');
  fixture.clock.advance(19_999);
  fixture.send('a', 'data: 2\n\n');
  await again.until('data: 2\n');
  fixture.clock.advance(1);
  t.equal(await again.end(), 'complete');
  const third = fixture.ask('/', asking);
  (await fixture.asked()).answer({ status: 403, body: 'no more' });
  t.equal((await third).status, 403);
  t.equal(fixture.origin.all.length, 2);
});
