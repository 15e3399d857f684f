/** `pushpin` and `holdfast publish`: the names under which tools and scripts know them, and ZeroMQ through the whole node. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import { type Child, commandFile, startChild } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { debians, ours, publish, withoutDebians } from './publish-fixture.js';

const pushpin = commandFile('pushpin');

/** Starts `pushpin` and waits for its line. */
async function startPushpin(t: Test, cwd: string, args: readonly string[]): Promise<Child> {
  const child = startChild(t, { command: process.execPath, args: [pushpin, ...args], cwd });
  await child.line(/ started(?:"\})?\n/);
  return child;
}

const clientsOf = (child: Child) => /listening on (\S+) \(clients\)/.exec(child.stdout)?.[1] ?? '';

t.test(
  'started as the Fastly CLI starts it: ports from the file, routes by Pushpin-Route, log lines it can parse',
  async (t) => {
    const directory = newDirectory(t);
    const origin = await startOrigin(t, (_request, response) => response.end('by its route\n'));
    const [clients, control] = [await freePort(), await freePort()];
    const [pull, sub, command] = [await freePort(), await freePort(), await freePort()];
    writeFileSync(
      join(directory, 'routes'),
      `id=backend1 ${origin.target},over_http\nid=backend2 127.0.0.1:1,over_http\n`,
    );
    const conf = `[global]
include=internal.conf
rundir=${directory}
ipc_prefix=
port_offset=0
stats_connection_ttl=120
stats_connection_send=true

[runner]
services=connmgr,proxy,handler
http_port=127.0.0.1:${clients}
logdir=${directory}
log_level=2
client_buffer_size=65536
client_maxconn=50000
allow_compression=false

[proxy]
routesfile=routes
debug=false
auto_cross_origin=false
accept_x_forwarded_protocol=false
set_x_forwarded_protocol=proto-only
accept_pushpin_route=true
cdn_loop=
log_from=false
log_user_agent=false
sig_iss=viceroy
sig_key=viceroy_dev_signing_key_dont_use_in_production

[handler]
ipc_file_mode=777
push_in_spec=tcp://127.0.0.1:${pull}
push_in_sub_specs=tcp://127.0.0.1:${sub}
push_in_sub_connect=false
push_in_http_addr=0.0.0.0
push_in_http_port=${control}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=65536
stats_spec=ipc://{rundir}/{ipc_prefix}stats
command_spec=tcp://127.0.0.1:${command}
message_rate=2500
message_hwm=25000
update_on_first_subscription=true
stats_format=tnetstring
`;
    writeFileSync(join(directory, 'pushpin.conf'), conf);
    const child = await startPushpin(t, directory, [`--config=${join(directory, 'pushpin.conf')}`, '--verbose', '-m']);
    for (const line of child.stdout.trimEnd().split('\n')) {
      t.match(line, /^\[(DEBUG|INFO|WARN|ERR)\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S/);
    }
    const url = `http://127.0.0.1:${clients}/`;
    const headers = { 'pushpin-route': 'backend1' };
    t.match(await ask(t, url, { headers }), { status: 200, text: 'by its route\n' });
    t.match(await ask(t, url, { headers: { 'pushpin-route': 'backend2' } }), { status: 502 });
    t.match(await ask(t, `http://127.0.0.1:${control}/`), { status: 200, text: 'Pushpin API\n' });
    t.match(await publish(t, ours, ['--spec', `tcp://127.0.0.1:${pull}`, 'c', 'x']), { code: 0 });
    t.match(await child.stop(), { code: 0 });
  },
);

t.test('without --config it looks where Pushpin looks, and not for files of Holdfast', async (t) => {
  const directory = newDirectory(t);
  const write = (place: string, port: string) => {
    mkdirSync(join(directory, place), { recursive: true });
    writeFileSync(join(directory, place, 'routes'), `* test\n`);
    writeFileSync(join(directory, place, 'pushpin.conf'), `[runner]\nhttp_port=${port}\n[proxy]\nroutesfile=routes\n`);
  };
  writeFileSync(join(directory, 'holdfast.yaml'), 'no_such_option: 1\n');
  for (const [place, port] of [
    ['examples/config', '127.0.0.3:0'],
    ['.', '127.0.0.2:0'],
    ['config', '127.0.0.1:0'],
  ] as const) {
    write(place, port);
    const child = await startPushpin(t, directory, []);
    t.match(clientsOf(child), port.replace(':0', ':'), place);
    await child.stop();
  }
});

t.test(
  'the files of Debian’s package start it, unchanged but for ports and directories',
  {
    skip: existsSync('/etc/pushpin/pushpin.conf') ? false : 'the Debian package pushpin is not installed',
  },
  async (t) => {
    const directory = newDirectory(t);
    const conf = readFileSync('/etc/pushpin/pushpin.conf', 'utf8')
      .replaceAll(/(tcp:\/\/127\.0\.0\.1):\d+/g, '$1:*')
      .replace(/^http_port=.*/m, 'http_port=127.0.0.1:0')
      .replace(/^push_in_http_port=.*/m, 'push_in_http_port=0')
      .replace(/^rundir=.*/m, `rundir=${directory}/run`)
      .replace(/^logdir=.*/m, `logdir=${directory}/log`);
    writeFileSync(join(directory, 'pushpin.conf'), conf);
    writeFileSync(join(directory, 'routes'), readFileSync('/etc/pushpin/routes'));
    const child = await startPushpin(t, directory, ['--config', join(directory, 'pushpin.conf')]);
    t.match(await ask(t, `${clientsOf(child)}/`), { status: 200, text: 'Hello from the Pushpin test handler!\n' });
    t.notMatch(child.stdout, /\[(WARN|ERR)\] .*(no effect|unknown key)/);
    t.ok(existsSync(join(directory, 'run', 'pushpin-stats')), 'the statistics socket is where the file says');
    t.match(await child.stop(), { code: 0 });
  },
);

t.test('holdfast publish is the same command as pushpin-publish', async (t) => {
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings: { push_in_spec: 'tcp://127.0.0.1:*' } });
  const directory = newDirectory(t);
  const zmq = /listening on (tcp:\S+) \(publish items\)/.exec(holdfast.child.stdout)?.[1] ?? '';
  for (const spec of [holdfast.control, zmq]) {
    const child = runHoldfast(t, { directory, args: ['publish', '--spec', spec, 'c', 'x'] });
    t.same(await child.exited, { code: 0, signal: null });
    t.equal(child.stdout, 'Published\n');
  }
  const help = runHoldfast(t, { directory, args: ['publish', '--help'] });
  await help.exited;
  t.match(help.stdout, /^Usage: holdfast publish /);
});

t.test('Debian’s pushpin-publish reaches a held stream, over HTTP and ZeroMQ', { skip: withoutDebians }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': 'c' }).end('[open]\n');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { push_in_spec: 'tcp://127.0.0.1:*' },
  });
  const zmq = /listening on (tcp:\S+) \(publish items\)/.exec(holdfast.child.stdout)?.[1] ?? '';
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const response = await fetch(`${holdfast.clients}/`, { signal: abort.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const read = async (wanted: string) => {
    while (!text.includes(wanted)) text += (await reader?.read())?.value ?? '';
  };
  await read('[open]\n');
  for (const [spec, content] of [
    [holdfast.control, 'one'],
    [zmq, 'two'],
  ] as const) {
    t.match(await publish(t, debians, ['--spec', spec, 'c', content]), { code: 0 });
    await read(`${content}\n`);
  }
  t.equal(text, '[open]\none\ntwo\n');
  reader?.closed.catch(() => {});
});

t.test('an XPUB publisher sees the channels that are held, publishes to them, and sees them go', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': request.url?.slice(1) ?? '' }).end('[open]\n');
  });
  const settings = { push_in_sub_specs: 'tcp://127.0.0.1:*' };
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  const uri = /listening on (tcp:\S+) \(published items\)/.exec(holdfast.child.stdout)?.[1] ?? '';
  const publisher = new zeromq.XPublisher({ linger: 0, receiveTimeout: 10_000 });
  t.teardown(() => publisher.close());
  publisher.connect(uri);
  const change = async () => {
    const [message] = await publisher.receive();
    return `${message?.[0] === 1 ? '+' : '-'}${message?.toString('utf8', 1)}`;
  };
  const abort = new AbortController();
  const response = await fetch(`${holdfast.clients}/room`, { signal: abort.signal });
  t.equal(await change(), '+room');
  await publisher.send(['room', 'J{"formats":{"http-stream":{"content":"by topic\\n"}}}']);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('by topic\n')) text += (await reader?.read())?.value ?? '';
  t.equal(text, '[open]\nby topic\n');
  abort.abort();
  reader?.closed.catch(() => {});
  t.equal(await change(), '-room');
});

t.test('a ZeroMQ address that is taken: one clear line, and exit 1', async (t) => {
  const squatter = new zeromq.Pull({ linger: 0 });
  await squatter.bind('tcp://127.0.0.1:*');
  t.teardown(() => squatter.close());
  const directory = newDirectory(t);
  const taken = squatter.lastEndpoint ?? '';
  writeFileSync(join(directory, 'a'), `http_port: 127.0.0.1:0\npush_in_http_port: 0\npush_in_spec: ${taken}\n`);
  const child = runHoldfast(t, { directory, args: ['--config', 'a', '--route', '* test'] });
  t.match(await child.exited, { code: 1 });
  t.equal(
    child.stderr,
    `holdfast: A ZeroMQ socket cannot listen on ${taken}: another process already listens there.\n`,
  );
});
