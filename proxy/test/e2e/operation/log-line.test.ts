/** The forms of the log: the text that tools which read Pushpin's log expect, and JSON. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** Would be a line of its own, an end of a line in Unicode, and a command for a terminal. */
const STRANGE = 'a\n[ERR] forged\u2028\u001b[2J';

const origin = await startOrigin(t, (request, response) => {
  if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
  else if (request.url === '/poll') response.writeHead(200, responseHold('room')).end('nothing new\n');
  else if (request.url === '/strange') {
    const hold = { mode: 'stream', channels: [{ name: STRANGE }] };
    response.writeHead(200, { 'Content-Type': 'application/grip-instruct' }).end(JSON.stringify({ hold }));
  } else response.end('thirty bytes are in this text.');
});
const conf = (more = '') => `[runner]\nhttp_port=127.0.0.1:0\n[handler]\npush_in_http_port=0\n[proxy]\n${more}`;
const STAMP = String.raw`\[INFO\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`;
const PATHS = 'direct_write, idle_connection, read_pause, bodiless_head, write_queue, write_progress';

/** With a pushpin.conf, and beside it a route that keeps its requests out of the log. */
const routes = [`* ${origin.target}`, `quiet,log_level=1 ${origin.target}`];
const holdfast = await startHoldfast(t, { config: conf(), routes });

t.test('with a pushpin.conf, lines are text: [LEVEL] date time [part] message', async (t) => {
  const { clients, child } = holdfast;
  await child.line(new RegExp(`^${STAMP} \\[holdfast\\] fast paths: ${PATHS}\n`, 'm'));
  const host = new URL(clients).host;
  await ask(t, `${clients}/a?b=c`);
  const request = `\\[proxy\\] GET http://${host}/a\\?b=c -> ${origin.target} code=200 30`;
  await child.line(new RegExp(`^${STAMP} ${request}\n`, 'm'));

  const stream = await open(t, `${clients}/stream`);
  await child.line(
    new RegExp(`^${STAMP} \\[proxy\\] GET http://${host}/stream -> ${origin.target} accept id=\\S+\n`, 'm'),
  );
  await holdfast.publish(streamItem('room', 'item\n'), {
    channel: 'room',
    formats: { 'http-stream': { action: 'close' } },
  });
  await stream.end();
  await child.line(
    new RegExp(`^${STAMP} \\[proxy\\] hold stream /stream id=\\S+ end=closed items=1 dropped=0 12 `, 'm'),
  );
  const strange = child.stdout.split('\n').filter((line) => line !== '' && !/^\[(INFO|WARN|ERR|DEBUG)\] /.test(line));
  t.strictSame(strange, [], 'every line has this form');
});

t.test('log_from and log_user_agent add their fields, route= names the route', async (t) => {
  const holdfast = await startHoldfast(t, {
    config: conf('log_from=true\nlog_user_agent=true\n'),
    routes: [`*,id=shop ${origin.target}`],
  });
  await ask(t, `${holdfast.clients}/`, { headers: { 'User-Agent': 'a browser/1.0' } });
  const fields = ' from=127\\.0\\.0\\.1 route=shop code=200 30 ua=a browser/1\\.0';
  await holdfast.child.line(new RegExp(`\\[proxy\\] GET http://\\S+/ -> ${origin.target}${fields}\n`));
});

t.test('a retry for a held client is marked in its line', async (t) => {
  const poll = open(t, `${holdfast.clients}/poll`);
  poll.catch(() => {});
  await holdfast.child.line(/\/poll -> \S+ accept id=\S+\n/);
  await fetch(`${holdfast.control}/recover/`, { method: 'POST' });
  await holdfast.child.line(/\/poll -> \S+ accept id=\S+ retry\n/);
});

t.test('log levels: a part may differ, and a route may keep its requests out of the log', async (t) => {
  await ask(t, `${holdfast.clients}/unheard`, { headers: { Host: 'quiet' } });
  await ask(t, `${holdfast.clients}/heard`);
  await holdfast.child.line(/\/heard /);
  t.notMatch(holdfast.child.stdout, /unheard/);

  const levels = ['--loglevel', '0,proxy:2'];
  const parts = await startHoldfast(t, { config: conf(), routes, args: levels });
  await ask(t, `${parts.clients}/heard`);
  await parts.child.line(/\[proxy\] GET \S+\/heard /);
  t.notMatch(parts.child.stdout, /\[routes\]/);
});

t.test('with a Holdfast YAML file lines are JSON, with text when asked to', async (t) => {
  const json = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  await ask(t, `${json.clients}/`);
  const paths = await json.record('of the fast paths', ({ active }) => active !== undefined);
  t.match(paths, { level: 'info', part: 'holdfast', active: PATHS.split(', '), inactive: [] });
  const record = await json.record('of the request', ({ part }) => part === 'proxy');
  t.match(record, { level: 'info', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, status: 200, bytes: 30 });

  const text = await startHoldfast(t, { routes: [`* ${origin.target}`], settings: { log_format: 'text' } });
  await ask(t, `${text.clients}/`);
  await text.child.line(/^\[INFO\] .* \[proxy\] GET /m);
});

for (const [title, more, args] of [
  ['--logfile', '', ['--logfile', 'named.log']],
  ['logdir', '[runner]\nlogdir=logs\n', []],
] as const) {
  t.test(`${title}: lines go to the file; listeners and "started" are printed as well`, async (t) => {
    const directory = newDirectory(t);
    const routes = [`* ${origin.target}`];
    const holdfast = await startHoldfast(t, { directory, config: `${conf()}${more}`, routes, args });
    await ask(t, `${holdfast.clients}/`);
    t.match(await holdfast.child.stop(), { code: 0 });
    const file = join(directory, title === 'logdir' ? 'logs/holdfast.log' : 'named.log');
    const lines = readFileSync(file, 'utf8');
    t.match(lines, / \[proxy\] GET \S+ -> \S+ code=200 30\n/);
    for (const text of [lines, holdfast.child.stdout]) t.match(text, /listening on .* \(clients\)\n.* started\n/);
    t.notMatch(holdfast.child.stdout, /\[proxy\]|stopped/);
    t.match(lines, /stopped\n$/);
  });
}

t.test('a warning in text has its fields', async (t) => {
  await fetch(`${holdfast.control}/publish/`, { method: 'POST', body: '{}' });
  const found = await until('the warning', () => /^\[WARN\] .* \[control\] .*$/m.exec(holdfast.child.stdout));
  t.match(found[0], / status=400 code="ERR_[A-Z_]+"/);
});

t.test('what a publisher names begins no line of its own', async (t) => {
  const holdfast = await startHoldfast(t, {
    config: conf(),
    routes: [`* ${origin.target}`],
    args: ['--log-level', 'debug'],
  });
  const { clients, child } = holdfast;
  await open(t, `${clients}/strange`);
  await holdfast.publish(streamItem(STRANGE, 'x'));
  await child.line(/publish channel=a\\u000a\[ERR\] forged\\u2028\\u001b\[2J/);
  t.notMatch(child.stdout, /^\[ERR\] forged/m);
});

t.test('an error is in the text of its line, at every level, with what is behind it', async (t) => {
  const holdfast = await startHoldfast(t, {
    config: conf(),
    routes: ['* 127.0.0.1:1'],
    args: ['--log-level', 'debug'],
  });
  await ask(t, `${holdfast.clients}/`);
  const tried = 'ERR_ORIGIN_CONNECT: Unable to connect to any targets. Tried: 127.0.0.1:1';
  await holdfast.child.line(
    new RegExp(`^\\[DEBUG\\] .* \\[request\\] request failed err="${tried}: .*ECONNREFUSED.*"$`, 'm'),
  );
});
