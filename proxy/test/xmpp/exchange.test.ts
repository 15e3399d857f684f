/** One request for a stanza: targets in turn, the fields that go along, and the time that an answer may take. */
import t, { type Test } from 'tap';
import type { OriginError } from '../../dist/errors.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { WholeAnswer } from '../../dist/xmpp/answer.js';
import { ANSWER_MS, StanzaExchange } from '../../dist/xmpp/exchange.js';
import { PullOrigin } from '../holds/pull-origin.js';
import { ManualClock } from '../kit/manual-clock.js';
import { deadPort } from '../kit/ports.js';
import { until } from '../kit/until.js';
import { makeClient } from '../origin/client-fixture.js';
import { USUAL_RULES } from '../origin/forward-rules.js';

/** Asks the targets of a route line; `ended` says in short what came of it. */
async function ask(t: Test, line: string) {
  const clock = new ManualClock();
  const client = makeClient(t);
  const ended: string[] = [];
  const exchange = new StanzaExchange(
    {
      id: 'x-1',
      route: toRoute(parseRouteLine(line, 1) as RouteLine, () => undefined),
      path: '/news',
      host: 'push.example',
      connectionId: 'c-1',
      meta: ['Meta-Note', 'milk'],
      channels: [{ name: 'sport' }, { name: 'a\nb é' }, { name: 'news.*', isPattern: true }],
      body: Buffer.from('<presence/>'),
    },
    {
      exchangeAnswered: ({ head, body }: WholeAnswer) => ended.push(`${head.status} ${body}`),
      exchangeFailed: (error: OriginError) => ended.push(error.code),
    },
    {
      clock,
      forwarder: new Forwarder({ rules: USUAL_RULES, sigIss: '', sigKey: undefined }, clock),
      originOf: (target, _route, host) => client.origin(target as never, host),
    },
  );
  exchange.start();
  return { clock, ended, end: () => until(() => ended[0]) };
}

t.test('a target that cannot be connected to is followed by the next, which gets all', async (t) => {
  const origin = await PullOrigin.open(t);
  const { end } = await ask(t, `*,xmpp=push.example 127.0.0.1:${await deadPort()} 127.0.0.1:${origin.port}`);
  const asked = await origin.next();
  t.match(asked, { method: 'POST', url: '/news' });
  t.equal(String(asked.body), '<presence/>');
  t.match(asked.headers, {
    host: 'push.example',
    'connection-id': 'c-1',
    'meta-note': 'milk',
    'content-type': 'application/xmpp-stanza+xml',
    'content-length': '11',
    'grip-channel': `sport, ${Buffer.from('a b é').toString('latin1')}, news.*; pattern`,
  });
  asked.answer({ status: 202 });
  t.equal(await end(), '202 ');
});

t.test('without a target that can be connected to there is no answer', async (t) => {
  const { end } = await ask(t, `*,xmpp=push.example 127.0.0.1:${await deadPort()}`);
  t.equal(await end(), 'ERR_ORIGIN_CONNECT');
});

t.test('an origin that does not answer in time is given up, once', async (t) => {
  const origin = await PullOrigin.open(t);
  const { clock, ended, end } = await ask(t, `*,xmpp=push.example 127.0.0.1:${origin.port}`);
  const asked = await origin.next();
  clock.advance(ANSWER_MS - 1);
  t.strictSame(ended, []);
  clock.advance(1);
  t.equal(await end(), 'ERR_ORIGIN_STANZA_LATE');
  await until(() => asked.gone);
  clock.advance(ANSWER_MS);
  t.equal(ended.length, 1);
});
