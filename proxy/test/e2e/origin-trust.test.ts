/** What clients cannot do to origins: send requests of the proxy elsewhere, or pass for the proxy. */
import t, { type Test } from 'tap';
import { type Answer, ask, open } from './client.js';
import { startHoldfast } from './holdfast.js';
import { responseHold, startOrigin, streamHold } from './origin.js';
import { ScriptedOrigin } from './scripted-origin.js';
import { openWs } from './ws-client.js';

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
  const warned = holdfast.records().filter(({ msg }) => /^link not followed/.test(String(msg)));
  t.ok(warned.length >= 1);
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
