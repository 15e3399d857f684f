/**
 * Mistakes after which nothing fails and a client gets nothing all the same: for each the log says why, once, and where it can be known
 * so does the receipt.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const EVENTS = { 'Content-Type': 'text/event-stream' };

const origin = await startOrigin(t, (request, response) => {
  const { host } = request.headers;
  if (host === 'holdless') response.writeHead(200, { 'Grip-Channel': 'a' });
  else if (host === 'filtered') response.writeHead(200, { 'Grip-Channel': 'a; filter=build-id' });
  else if (host === 'created') response.writeHead(201, { 'Content-Type': 'application/json' });
  else if (host === 'events') response.writeHead(200, streamHold('a', EVENTS));
  else if (host === 'cut') response.writeHead(200, streamHold('cut', EVENTS));
  else if (host === 'changed')
    response.writeHead(200, { ...streamHold('b; filter=var-subst', EVENTS), 'Grip-Set-Meta': 'name="me"' });
  else if (host === 'plain') response.writeHead(200, streamHold('a'));
  else if (host === 'lone') response.writeHead(200, streamHold('lone'));
  else if (host === 'endless') {
    response.writeHead(200, streamHold('endless', EVENTS));
    response.write(': never ends\n\n');
    return;
  }
  response.end(': answered\n\n');
});

const routes = [
  ...['holdless', 'filtered', 'events', 'cut', 'changed', 'plain', 'lone', 'endless'].map(
    (host) => `${host} ${origin.target}`,
  ),
  `created ${origin.target},over_http`,
  `some,path_beg=/here,proto=http ${origin.target}`,
];

const asking = (t: Test, { clients }: Holdfast, host: string, path = '/') =>
  open(t, `${clients}${path}`, { headers: { Host: host } });

/** The messages of the log at this level that match. */
const said = (holdfast: Holdfast, level: string, text: RegExp): string[] =>
  holdfast
    .records()
    .flatMap((record) => (record.level === level && text.test(`${record.msg}`) ? [`${record.msg}`] : []));

const saying = (holdfast: Holdfast, level: string, text: RegExp): Promise<string> =>
  until(
    `${text}`,
    () => said(holdfast, level, text)[0],
    () => holdfast.child.stdout,
  );

/** Publishes, and resolves with the answers in both forms. */
async function publish(
  { control }: Holdfast,
  item: object,
): Promise<{ text: string; receipt: Record<string, unknown> }> {
  const ask = (accept: string) =>
    fetch(`${control}/publish/`, { method: 'POST', headers: { accept }, body: JSON.stringify({ items: [item] }) });
  const text = await (await ask('text/plain')).text();
  const { items } = (await (await ask('application/json')).json()) as { items: Record<string, unknown>[] };
  return { text, receipt: items[0] as Record<string, unknown> };
}

// Each test has routes and channels of its own: most lines are written once for a route.
for (const edge of ['node', 'uws'] as const) {
  const holdfast = await startHoldfast(t, { routes, settings: { edge } });

  t.test(`${edge}: channels without a hold`, async (t) => {
    for (let i = 0; i < 2; i++) await (await asking(t, holdfast, 'holdless')).end();
    await saying(holdfast, 'warn', /names channels and no hold: without Grip-Hold \(response or stream\)/);
    t.equal(said(holdfast, 'warn', /no hold/).length, 1, 'once for the route');
    // Filters of an answer that is not held are a use of channels.
    const answer = await asking(t, holdfast, 'filtered');
    await answer.end();
    await (await asking(t, holdfast, 'nowhere')).end();
    await saying(holdfast, 'warn', /No route for host: nowhere/);
    t.equal(said(holdfast, 'warn', /no hold/).length, 1);
  });

  t.test(`${edge}: an origin that takes a handshake for a plain request`, async (t) => {
    const client = new WebSocket(`${holdfast.clients.replace('http', 'ws')}/`, { headers: { Host: 'created' } });
    const [status] = await new Promise<[number]>((resolve, reject) => {
      client.once('unexpected-response', (_, { statusCode = 0 }) => resolve([statusCode]));
      client.once('open', () => reject(new Error('it was accepted')));
      client.on('error', () => {});
    });
    t.equal(status, 201);
    await saying(
      holdfast,
      'warn',
      /answers a WebSocket handshake with 201 and without events: .*no other request has \(path_beg\)/,
    );
  });

  t.test(`${edge}: items that wait for an answer without an end`, async (t) => {
    const answer = await asking(t, holdfast, 'endless');
    await answer.until(': never ends\n\n');
    await holdfast.publish(streamItem('endless', 'data: early\n\n'));
    await delay(5_200);
    t.same(said(holdfast, 'warn', /items of a stream wait/), [], 'an answer may take a while');
    await holdfast.publish(streamItem('endless', 'data: late\n\n'));
    await saying(holdfast, 'warn', /items of a stream wait for the end of the origin's answer/);
  });

  t.test(`${edge}: an item for event streams that is no whole event`, async (t) => {
    const before = said(holdfast, 'warn', /event/);
    const [events, plain] = [await asking(t, holdfast, 'events'), await asking(t, holdfast, 'plain')];
    for (const whole of ['data: a\n\n', 'data: b\r\n\r\n', ': c\n\n']) await holdfast.publish(streamItem('a', whole));
    await events.until(': c\n\n');
    t.same(said(holdfast, 'warn', /event/), before);
    await holdfast.publish(streamItem('a', 'data: d\n'));
    await saying(holdfast, 'warn', /does not end with an empty line, on channel "a": browsers wait/);
    await plain.until('data: d\n');
  });

  t.test(`${edge}: what a filter makes of an item is not the publisher's to mend`, async (t) => {
    const [changed, plain] = [await asking(t, holdfast, 'changed'), await asking(t, holdfast, 'cut')];
    await Promise.all([changed, plain].map((answer) => answer.until(': answered\n\n')));
    await holdfast.publish(streamItem('b', 'data: %(name)s\n'));
    await changed.until('data: me\n');
    await holdfast.publish(streamItem('cut', 'data: as it came\n'));
    // A line of the item before would be in front of this one.
    await saying(holdfast, 'warn', /does not end with an empty line, on channel "cut"/);
    t.same(said(holdfast, 'warn', /on channel "b"/), []);
  });

  t.test(`${edge}: an item whose formats nobody on its channel takes`, async (t) => {
    const stream = await asking(t, holdfast, 'lone');
    await stream.until(': answered\n\n');
    const message = { channel: 'lone', formats: { 'ws-message': { content: 'x' } } };
    const { text, receipt } = await publish(holdfast, message);
    t.equal(text, 'Published\nNote: the item reached nobody: no subscriber of the channel takes a format of it.\n');
    t.match(receipt, { subscribers: 1, unreceived: true });
    await saying(holdfast, 'info', /reached nobody: channel=lone, whose subscribers take other formats/);
    const taken = await publish(holdfast, streamItem('lone', 'x'));
    t.equal(taken.text, 'Published\n');
    t.notOk('unreceived' in taken.receipt);
  });

  t.test(`${edge}: a misspelt channel, and a path that no route of the domain takes`, async (t) => {
    const { text } = await publish(holdfast, streamItem('aa', 'x'));
    t.equal(text, 'Published\nNote: the item reached nobody.\n');
    await saying(holdfast, 'info', /reached nobody: channel=aa$/);
    t.equal((await asking(t, holdfast, 'some', '/there?secret=1')).status, 502);
    const line = await saying(holdfast, 'warn', /No route for host: some: routes take this domain/);
    t.match(line, /none of them this path, protocol or TLS: http \/there$/);
  });
}
