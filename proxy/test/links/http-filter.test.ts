/** The questions of http-check and http-modify, and their answers. */
import { silentLog } from '@holdfast/control-api';
import { type Item, parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { type HttpFilterQuestion, HttpFilters } from '../../dist/links/http-filter.js';
import { LinkClient } from '../../dist/links/link-client.js';
import type { OriginClient } from '../../dist/origin/client.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import { toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { type Asked, PullOrigin } from '../holds/pull-origin.js';
import { ManualClock } from '../kit/manual-clock.js';
import { deadPort } from '../kit/ports.js';
import { until } from '../kit/until.js';
import { makeClient } from '../origin/client-fixture.js';
import { USUAL_RULES } from '../origin/forward-rules.js';

/** Questions to a server, under a clock that stands still. */
class Asking {
  readonly clock = new ManualClock(0);
  readonly origin: PullOrigin;
  readonly filters: HttpFilters;
  readonly #scope: HttpFilterQuestion['scope'];

  private constructor(origin: PullOrigin, client: OriginClient) {
    this.origin = origin;
    const route = toRoute(
      parseRouteLine(`*,link_hosts=127.0.0.1 127.0.0.1:${origin.port}`, 1) as RouteLine,
      () => undefined,
    );
    const table = new RouteTable([route]);
    const links = new LinkClient({
      forwarder: new Forwarder({ rules: USUAL_RULES, sigIss: '', sigKey: undefined }, this.clock),
      originOf: (target, _route, host) => client.origin(target as never, host),
      routes: () => table,
      clock: this.clock,
      log: silentLog,
    });
    this.filters = new HttpFilters(links, this.clock);
    const url = 'http://app.example/a/b';
    this.#scope = {
      url,
      view: 'client',
      clientUrl: url,
      route,
      asked: route,
      secure: false,
    };
  }

  static async open(t: Test): Promise<Asking> {
    return new Asking(await PullOrigin.open(t), makeClient(t));
  }

  /** Asks about an item with this content; gives what comes of it in short. */
  ask(over: Partial<HttpFilterQuestion> & { url?: string; text?: string } = {}): Promise<string> {
    const { url = '/judge', text = 'content', ...question } = over;
    const asked = this.filters.ask({
      filter: 'http-modify',
      scope: this.#scope,
      subMeta: new Map([['url', url]]),
      item: item({}),
      lastIds: new Map(),
      content: Buffer.from(text),
      ...question,
    });
    return asked.then(
      (answer) => (answer.drop ? 'drop' : `send ${answer.content}`),
      (error: Error) => `error ${error.message}`,
    );
  }

  next(): Promise<Asked> {
    return this.origin.next();
  }
}

const item = (meta: Readonly<Record<string, string>>): Item =>
  parseItem({ channel: 'c', meta, formats: { 'http-stream': { content: 'x' } } });

t.test('the question: POST, meta of both sides in JSON, the last ids; the content for http-modify only', async (t) => {
  const asking = await Asking.open(t);
  const subMeta = new Map([
    ['url', 'judge?x=1'],
    ['user', 'zoë'],
  ]);
  const lastIds = new Map([
    ['c', '7'],
    ['d', 'x'],
  ]);
  for (const [filter, body] of [
    ['http-modify', 'content'],
    ['http-check', ''],
  ] as const) {
    const outcome = asking.ask({ filter, subMeta, item: item({ sender: 'bob\n' }), lastIds });
    const asked = await asking.next();
    t.match(asked, { method: 'POST', url: '/a/judge?x=1', lastIds: ['c; last-id=7', 'd; last-id=x'] });
    t.equal(asked.body.toString(), body);
    t.equal(asked.headers.host, 'app.example');
    t.equal(asked.headers['content-length'], `${body.length}`);
    const utf8 = (name: string) => Buffer.from(`${asked.headers[name]}`, 'latin1').toString();
    t.strictSame(JSON.parse(utf8('sub-meta')), { url: 'judge?x=1', user: 'zoë' });
    t.strictSame(JSON.parse(utf8('pub-meta')), { sender: 'bob\n' });
    asked.answer({});
    await outcome;
  }
});

t.test('whatever is in meta, it is one field of the request', async (t) => {
  const asking = await Asking.open(t);
  const odd = `${Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code)).join('')}\ud800\u2028`;
  const outcome = asking.ask({
    subMeta: new Map([
      ['url', '/judge'],
      [odd, odd],
    ]),
    item: item({ [odd]: odd }),
  });
  const asked = await asking.next();
  const read = (name: string) => JSON.parse(Buffer.from(`${asked.headers[name]}`, 'latin1').toString()) as object;
  t.strictSame(read('pub-meta'), { [odd]: odd });
  t.strictSame(read('sub-meta'), { url: '/judge', [odd]: odd });
  asked.answer({});
  t.equal(await outcome, 'send ');
});

const drop = { Action: 'drop' };
for (const [filter, answer, outcome] of [
  ['http-modify', { body: 'new' }, 'send new'],
  ['http-modify', { body: '' }, 'send '],
  ['http-modify', { status: 204 }, 'send content'],
  ['http-modify', { headers: drop, body: 'new' }, 'drop'],
  ['http-modify', { status: 204, headers: { action: ' drop ' } }, 'drop'],
  ['http-modify', { headers: { Action: 'keep' }, body: 'new' }, 'send new'],
  ['http-check', { body: 'ignored' }, 'send content'],
  ['http-check', { status: 204 }, 'send content'],
  ['http-check', { headers: drop }, 'drop'],
  ['http-check', { status: 403, headers: drop }, 'error unexpected network request status: code=403'],
  ['http-modify', { status: 201, body: 'new' }, 'error unexpected network request status: code=201'],
  ['http-modify', { status: 302, headers: { Location: '/' } }, 'error unexpected network request status: code=302'],
] as const) {
  t.test(`${filter}, answered ${JSON.stringify(answer)}: ${outcome}`, async (t) => {
    const asking = await Asking.open(t);
    const answered = asking.ask({ filter });
    (await asking.next()).answer(answer);
    t.equal(await answered, outcome);
    asking.clock.advance(1_000);
    t.equal(asking.clock.pending, 0, 'the time limit is called off');
  });
}

t.test('a URL that is missing, or none, is an error at once', async (t) => {
  const asking = await Asking.open(t);
  t.equal(await asking.ask({ subMeta: new Map() }), 'error missing url value');
  t.equal(await asking.ask({ url: '' }), 'error missing url value');
  t.equal(await asking.ask({ url: 'ftp://a/b' }), 'error invalid url value: it is no HTTP URL');
  t.match(await asking.ask({ url: 'http://other.example/' }), /^error invalid url value: its host is no target/);
  t.equal(asking.origin.all.length, 0);
});

t.test('an answer may be 100,000 bytes long, not more', async (t) => {
  const asking = await Asking.open(t);
  const fits = asking.ask();
  (await asking.next()).answer({ body: 'x'.repeat(100_000) });
  t.equal((await fits).length, 'send '.length + 100_000);
  const tooLong = asking.ask();
  const asked = await asking.next();
  asked.begin({}, 'x'.repeat(100_001));
  t.equal(await tooLong, 'error network response exceeded 100000 bytes');
  await asked.abandoned();
});

t.test('an answer has ten seconds, to its end', async (t) => {
  const asking = await Asking.open(t);
  const outcome = asking.ask();
  const asked = await asking.next();
  asked.begin({}, 'slow');
  asking.clock.advance(9_999);
  t.notOk(asked.gone);
  asking.clock.advance(1);
  t.equal(await outcome, 'error network request failed: timeout');
  await asked.abandoned();
  t.equal(asking.clock.pending, 0);
});

t.test('servers that cannot be reached, or break off', async (t) => {
  const asking = await Asking.open(t);
  t.match(await asking.ask({ url: `http://127.0.0.1:${await deadPort()}/` }), /^error network request failed: ./);
  const outcome = asking.ask();
  const asked = await asking.next();
  asked.begin({}, 'half');
  asked.breakOff();
  t.match(await outcome, /^error network request failed: ./);
  asking.clock.advance(1_000);
  t.equal(asking.clock.pending, 0);
});

t.test('a URL is asked a hundred times a second; the rest waits, in order, and other URLs do not', async (t) => {
  const asking = await Asking.open(t);
  const outcomes: Promise<string>[] = [];
  for (let i = 0; i < 230; i++) outcomes.push(asking.ask({ text: `${i}` }));
  const other = asking.ask({ url: '/other' });
  await answerAll(asking, 101);
  t.equal(await other, 'send ');
  asking.clock.advance(999);
  t.equal(asking.origin.all.length, 101);
  asking.clock.advance(1);
  await answerAll(asking, 201);
  asking.clock.advance(1_000);
  // One that comes now has its place behind those that waited.
  outcomes.push(asking.ask({ text: '230' }));
  await answerAll(asking, 232);
  await Promise.all(outcomes);
  const asked = asking.origin.all.filter(({ url }) => url === '/judge').map(({ body }) => Number(`${body}`));
  t.ok(asked.slice(0, 100).every((n) => n < 100) && asked.slice(100, 200).every((n) => n >= 100 && n < 200));
  asking.clock.advance(2_000);
  t.equal(asking.clock.pending, 0);
});

async function answerAll(asking: Asking, count: number): Promise<void> {
  const taken = asking.origin.all.length - asking.origin.untaken;
  for (let i = taken; i < count; i++) (await asking.next()).answer({});
  await until('all of them', () => asking.origin.all.length === count);
}

t.test('ten thousand questions may wait for a URL; one more fails at once', async (t) => {
  const asking = await Asking.open(t);
  const outcomes: Promise<string>[] = [];
  for (let i = 0; i < 100 + 10_000; i++) outcomes.push(asking.ask());
  t.equal(await asking.ask(), 'error more than 10000 network requests wait for this url');
  const other = asking.ask({ url: '/other' });
  await answerAll(asking, 101);
  t.equal(await other, 'send ');
  await Promise.all(outcomes.slice(0, 100));
  asking.clock.advance(1_000);
  await answerAll(asking, 201);
});
