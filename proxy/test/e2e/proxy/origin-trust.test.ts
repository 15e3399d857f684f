/** What clients cannot do to origins: send requests of the proxy elsewhere, or pass for the proxy. */
import t, { type Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { openWs } from '../../kit/clients/ws-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, type Seen, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
/** A server beside the proxy that no route leads to: all that it sees is too much. */
const internal = await startOrigin(t, (_, response) => response.end('SECRET'));
const holdfast = await startHoldfast(t, {
  settings: { client_half_close_grace: 0, sig_key: 'secret', log_level: 'debug' },
  routes: [
    `* ${origin.target}`,
    `*,path_beg=/app,replace_beg= ${origin.target}`,
    '*,path_beg=/try,prefix=p- test,channels=a|b',
    '*,path_beg=/one test',
    `*,path_beg=/fixed,replace_beg=,header=X-Fixed:route ${origin.target}`,
    `direct.example,header=X-Fixed:route ${origin.target}`,
    `events.example,header=X-Fixed:route ${origin.target},over_http`,
    `plain.example ${origin.target}`,
    `quiet.example,no_grip ${origin.target}`,
    `split.example,proto=http ${origin.target}`,
    `split.example,proto=ws ${origin.target},over_http`,
    `*,path_beg=/far,replace_beg= 127.0.0.1:1 ${origin.target}`,
  ],
});
const { clients } = holdfast;

/** A stream without a hold, whose next link is this: it ends when the link has been followed, or not. */
async function follow(t: Test, link: string, host: string, prefix = '/app'): Promise<Answer> {
  const path = origin.script({ headers: { 'Grip-Link': `<${link}>; rel=next; timeout=0` }, body: 'one ' });
  const answer = await open(t, `${clients}${prefix}${path}`, { headers: { Host: host, Cookie: 'c' } });
  await answer.end();
  return answer;
}

t.test('a relative link goes to the origin that named it, wherever the client’s Host leads', async (t) => {
  const next = origin.script({ body: 'two' });
  const hosts = ['site.example', internal.target, `localhost:${internal.target.split(':')[1]}`, '169.254.169.254'];
  for (const [i, host] of hosts.entries()) {
    t.equal((await follow(t, next, host)).text, 'one two', host);
    t.match(origin.seen(next)[i]?.headers, { host, cookie: undefined, 'grip-sig': /./ });
  }
  t.equal((await follow(t, next, internal.target, '/far')).text, 'one two', 'the target that answered is asked');
  t.equal(internal.seen.length, 0);
});

t.test('a link to a host that is no target, domain or of link_hosts is not followed', async (t) => {
  for (const link of [`//${internal.target}/x`, `http://${internal.target}/x`, `/\\${internal.target}/x`]) {
    const answer = await follow(t, link, 'site.example');
    t.equal(answer.text, 'one ', link);
  }
  t.equal(internal.seen.length, 0);
  await holdfast.record('of a link that is not followed', ({ msg }) => /^link not followed/.test(String(msg)));
});

t.test('nor is a gone link, nor asked a filter', async (t) => {
  const told = origin.script({});
  for (const [link, host] of [
    [`//${internal.target}/gone`, 'site.example'],
    [told, internal.target],
  ] as const) {
    const path = origin.script({ headers: responseHold('gone', { 'Grip-Link': `<${link}>; rel=gone` }) });
    const poll = ask(t, `${clients}/app${path}`, { headers: { Host: host } });
    await holdfast.holds('response', 1);
    await holdfast.publish({ channel: 'gone', formats: { 'http-response': { body: 'x' } } });
    t.equal((await poll).text, 'x');
  }
  await origin.requests(told, 1);
  const judge = origin.script({ body: 'judged ' });
  const meta = (url: string) => ({ 'Grip-Set-Meta': `url="${url}"` });
  const filtered = (url: string) =>
    origin.script({ headers: streamHold('f; filter=http-modify', meta(url)), body: 'o ' });
  const headers = { Host: internal.target };
  const good = await open(t, `${clients}/app${filtered(judge)}`, { headers });
  const bad = await open(t, `${clients}/app${filtered(`http://127.0.0.2:${internal.target.split(':')[1]}/`)}`, {
    headers,
  });
  await Promise.all([good.until('o '), bad.until('o ')]);
  await holdfast.publish({ channel: 'f', formats: { 'http-stream': { content: 'x' } } });
  await good.until('judged');
  t.equal(bad.text, 'o ');
  t.equal(internal.seen.length, 0);
});

t.test('a client of the test target gets the channels that its route lists, and no other', async (t) => {
  const socket = clients.replace('http', 'ws');
  for (const query of ['channel=secret', 'channel=a&channel=secret', 'channel=', 'channel=A', 'channel=p-a']) {
    for (const path of ['/try/response', '/try/stream', '/one/stream']) {
      t.match(await ask(t, `${clients}${path}?${query}`), { status: 403, text: /^only the channels / }, path + query);
    }
    await t.rejects(openWs(t, `${socket}/try/ws?${query}`), /403/, query);
  }
  const [a, none, room] = await Promise.all([
    open(t, `${clients}/try/stream?channel=b&channel=a`),
    open(t, `${clients}/one/stream`),
    openWs(t, `${socket}/try/ws?channel=b`),
  ]);
  await Promise.all([a.until('[stream opened]'), none.until('[stream opened]')]);
  const item = { formats: { 'http-stream': { content: 'x' }, 'ws-message': { content: 'x' } } };
  await holdfast.publish(...['p-a', 'p-b', 'test', 'a', 'b'].map((channel) => ({ channel, ...item })));
  await Promise.all([a.until('xx'), none.until('x')]);
  t.equal(await room.text(), 'x');
});

/** The names of fields that begin like this, at the origin, as CGI would have them. */
const cgiNames = (seen: Seen | undefined, beginning: RegExp) =>
  Object.keys(seen?.headers ?? {})
    .map((name) => name.replace(/[^a-z0-9]/g, '_'))
    .filter((name) => beginning.test(name));

const FORGED = {
  ...{ Grip_Sig: 'x', 'Grip.Last': 'x', 'Grip-Hold': 'x', Meta_User: 'admin', 'Meta-User': 'admin', 'Meta|User': 'x' },
  ...{ Connection_Id: 'x', 'Connection-Id': 'x', X_Forwarded_For: '1.1.1.1', 'X_Forwarded-Proto': 'https' },
  ...{ Content_Length: '0', Transfer_Encoding: 'chunked', Content_Type: 'application/websocket-events', X_Fixed: 'x' },
};

t.test('no spelling of a field of the proxy reaches an origin from a client', async (t) => {
  const path = origin.script({});
  await ask(t, `${clients}/fixed${path}`, { headers: { ...FORGED, X_Own: 'kept', Host: 'a' } });
  const [seen] = origin.seen(path);
  t.strictSame(cgiNames(seen, /^(grip|meta|connection_id|x_f|content_|transfer)/), [
    'x_fixed',
    'grip_sig',
    'grip_feature',
  ]);
  t.match(seen?.headers, { x_own: 'kept', 'x-fixed': 'route' });
  t.not(seen?.headers['grip-sig'], 'x');
});

t.test('nor with a WebSocket, to whichever origin', async (t) => {
  const socket = clients.replace('http', 'ws');
  for (const [host, events] of [
    ['direct.example', 0],
    ['events.example', 1],
  ] as const) {
    const path = origin.script({ status: 403 });
    await t.rejects(openWs(t, `${socket}${path}`, { headers: { ...FORGED, Host: host } }));
    const [seen] = origin.seen(path);
    const names = cgiNames(seen, /^(grip|meta|connection_id|x_f|transfer)/).sort();
    t.strictSame(names, [...(events ? ['connection_id'] : []), 'grip_feature', 'grip_sig', 'x_fixed']);
    t.not(seen?.headers['connection-id'], 'x');
  }
});

t.test('a client that poses as a proxy with events is refused on every route', async (t) => {
  const events = 'application/websocket-events';
  const paths: string[] = [];
  for (const host of ['plain.example', 'events.example', 'quiet.example', 'split.example', 'direct.example']) {
    for (const types of [
      [`Content-Type: ${events}`],
      [`Content-Type: text/plain`, `Content-Type: ${events}`],
      [`Content-Type: ${events}`, `content-type: text/plain`],
      [`Content-Type: text/plain, ${events.toUpperCase()};x=y`],
      [`Content-Type: ${events}\xa0`],
      [`Accept: text/html, ${events}`],
    ]) {
      const path = origin.script({});
      paths.push(path);
      const wire = await connectTo(t, clients);
      wire.send(`POST ${path} HTTP/1.1`, `Host: ${host}`, ...types, 'Content-Length: 6', '', 'OPEN');
      await wire.until('Client not allowed to send WebSocket events directly.');
      t.match(wire.text, /^HTTP\/1.1 403 /, `${host} ${types}`);
    }
    const socket = `${clients.replace('http', 'ws')}/`;
    await t.rejects(openWs(t, socket, { headers: { Host: host, Accept: events } }), /403/, host);
  }
  t.strictSame(
    paths.flatMap((path) => origin.seen(path)),
    [],
  );
});

t.test('with a separator, no origin names the channels of another prefix', async (t) => {
  const apart = await startHoldfast(t, {
    settings: { client_half_close_grace: 0, prefix_separator: '|' },
    routes: [
      `a,debug,prefix=t ${origin.target}`,
      `b,prefix=t1 ${origin.target}`,
      `c,debug ${origin.target}`,
      `d ${origin.target},over_http`,
    ],
  });
  const at = (path: string, Host: string) => open(t, `${apart.clients}${path}`, { headers: { Host } });
  const [one, other] = await Promise.all([
    at(origin.script({ headers: streamHold('1-x'), body: 'open ' }), 'a'),
    at(origin.script({ headers: streamHold('-x'), body: 'open ' }), 'b'),
  ]);
  await Promise.all([one.until('open '), other.until('open ')]);
  await apart.publish(streamItem('t|1-x', 'one'), streamItem('t1|-x', 'other'));
  await Promise.all([one.until('one'), other.until('other')]);
  t.strictSame([one.text, other.text], ['open one', 'open other']);
  const named = "channel 't1|-x' contains the prefix_separator, and its route has no prefix";
  for (const headers of [streamHold('t1|-x'), responseHold('ok, t1|-x')]) {
    const refused = await ask(t, `${apart.clients}${origin.script({ headers })}`, { headers: { Host: 'c' } });
    t.match(refused, { status: 502, text: new RegExp(named.replace(/[|]/g, '\\|')) });
  }
  const next = origin.script({ headers: streamHold('t1|-x'), body: 'two' });
  const first = origin.script({ headers: { 'Grip-Link': `<${next}>; rel=next` }, body: 'one' });
  const chain = await at(first, 'c');
  await chain.end();
  t.equal(chain.text, 'one');
  const opened = `OPEN\r\nTEXT 2E\r\nc:{"type":"subscribe","channel":"t1|-x"}\r\n`.replace(
    '2E',
    'c:{"type":"subscribe","channel":"t1|-x"}'.length.toString(16),
  );
  const session = await openWs(
    t,
    `${apart.clients.replace('http', 'ws')}${origin.script(
      {
        headers: { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' },
        body: opened,
      },
      { headers: { 'Content-Type': 'application/websocket-events' } },
    )}`,
    { headers: { Host: 'd' } },
  );
  t.equal((await session.end()).code, 1011);
});
