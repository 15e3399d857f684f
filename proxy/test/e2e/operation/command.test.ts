/** The command itself: what it prints, how it refuses, which forms of configuration and flags it takes. */

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Child } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { type LogRecord, newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';

/** Runs the command to its end, with these files in its working directory. */
async function run(t: Test, args: readonly string[], files: Readonly<Record<string, string>> = {}) {
  const directory = newDirectory(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const child = runHoldfast(t, { directory, args });
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr.replaceAll(directory, '.') };
}

t.test(
  'it prints a line for each listener, and last one that ends in "started": in JSON like all others',
  async (t) => {
    const holdfast = await startHoldfast(t, { routes: ['* test'], args: ['--log-level', 'error'] });
    const records = holdfast.child.stdout.trimEnd().split('\n');
    t.match(
      records.map((line) => JSON.parse(line) as LogRecord),
      [
        { listener: 'control', address: holdfast.control, msg: /^listening on http:\/\/127\.0\.0\.1:\d+ \(control\)$/ },
        { listener: 'admin', msg: /^listening on http:\/\/127\.0\.0\.1:\d+ \(admin\)$/ },
        { listener: 'clients', address: holdfast.clients, msg: /^listening on http:\/\/127\.0\.0\.1:\d+ \(clients\)$/ },
        { level: 'info', part: 'holdfast', version: /^\d+\.\d+\.\d+/, msg: /^holdfast \d+\.\d+\.\d+\S* started$/ },
      ],
    );
    t.equal(records.length, 4, 'and nothing else at this level');
    t.equal(holdfast.child.stderr, '');
    t.match(await ask(t, `${holdfast.clients}/`), { status: 200 }, 'it serves clients by then');
    t.match(await ask(t, holdfast.control), { status: 200, text: 'Pushpin API\n' });
  },
);

for (const args of [['--version'], ['-v']]) {
  t.test(`${args} prints the version on standard output and exits 0`, async (t) => {
    t.match(await run(t, args), { code: 0, stdout: /^holdfast \d+\.\d+\.\d+\S*\n$/, stderr: '' });
  });
}

t.test('--help prints every kind of option on standard output and exits 0', async (t) => {
  const { code, stdout, stderr } = await run(t, ['--help']);
  t.match({ code, stderr }, { code: 0, stderr: '' });
  for (const flag of ['config', 'route', 'port', 'control-port', 'edge', 'workers', 'log-level', 'logfile', 'id']) {
    t.match(stdout, new RegExp(`--${flag}\\b`), flag);
  }
});

t.test('what is wrong with the configuration is one clear line on standard error, and exit 1', async (t) => {
  const cases = [
    [['--bogus'], {}, /^unknown option '--bogus'\n$/],
    [['bogus'], {}, /^unknown command 'bogus'\n$/],
    [['--config', 'none.yaml'], {}, /^cannot read \.\/none\.yaml: ENOENT\n$/],
    [['--config', 'a'], { a: 'http_prt: 1\n' }, /^\.\/a:1: http_prt: unknown key; did you mean http_port\?\n$/],
    [['--config', 'a'], { a: 'debug: perhaps\n' }, /^\.\/a:1: debug: expected .*, got "perhaps"\n$/],
    [['--config', 'a'], { a: 'a: [\n' }, /^\.\/a:\d+: [^\n]+\n$/],
    [['--config', 'a'], { a: '[runner]\nhttp_port=x\n' }, /^\.\/a:2: runner\.http_port: expected .*, got "x"\n$/],
    [['--config', 'a'], { a: '[proxy]\nroutesfile=gone\n' }, /^holdfast: cannot read routes file \.\/gone: ENOENT\n$/],
    [['--config', 'a', '--port', 'x'], { a: 'debug: true\n' }, /^--port: expected [^\n]*, got "x"\n$/],
    [['--config', 'a', '--logfile', '.'], { a: 'debug: true\n' }, /^cannot write the log to \.: EISDIR\n$/],
  ] as const;
  const results = await Promise.all(cases.map(([args, files]) => run(t, args, files)));
  for (const [i, [args, , expected]] of cases.entries()) {
    t.match(results[i], { code: 1, stderr: expected }, args.join(' '));
  }
});

t.test('several mistakes are told at once, a line each', async (t) => {
  const { code, stderr } = await run(t, ['--config', 'a'], { a: 'http_prt: 1\nworkers: x\n' });
  t.equal(code, 1);
  t.equal(stderr.split('\n').length, 3, stderr);
});

for (const [kind, setting] of [
  ['client', 'http_port'],
  ['control', 'push_in_http_port'],
  ['admin', 'admin_port'],
] as const) {
  t.test(`a ${kind} port that is taken: one clear line, exit 1, and nothing is left listening`, async (t) => {
    const squatter = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
    t.teardown(() => squatter.close());
    const ports = { http_port: '127.0.0.1:0', push_in_http_port: '0', admin_port: '127.0.0.1:0' };
    const taken = { ...ports, [setting]: setting === 'push_in_http_port' ? `${port}` : `127.0.0.1:${port}` };
    const text = Object.entries(taken).map(([key, value]) => `${key}: ${value}\n`);
    const { code, stdout, stderr } = await run(t, ['--config', 'a', '--route', '* test'], { a: text.join('') });
    t.equal(code, 1);
    t.match(stderr, new RegExp(`^holdfast: [^\\n]*cannot listen on 127\\.0\\.0\\.1:${port}[^\\n]*\\n$`));
    t.notMatch(stdout, /started/);
  });
}

t.test('a port is taken and the log goes to a file: the line is the same', async (t) => {
  const squatter = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
  t.teardown(() => squatter.close());
  const args = ['--config', 'a', '--route', '* test', '--port', `127.0.0.1:${port}`, '--logfile', 'log/file'];
  const { code, stderr } = await run(t, args, { a: 'push_in_http_port: 0\n' });
  t.match({ code, stderr }, { code: 1, stderr: /^holdfast: cannot listen on [^\n]*: it is in use\n$/ });
});

t.test('check-config: ok, and exit 0; the mistakes in file or routes, and exit 1', async (t) => {
  const good = await run(t, ['--config', 'a', 'check-config'], {
    a: 'sig_key: k\nroutesfile: r\n',
    r: '* test\n# none\n',
  });
  t.match(good, { code: 0, stdout: 'ok: ', stderr: '' });
  t.match(good.stdout, /, 1 routes\n$/);
  const bad = await run(t, ['--config', 'a', 'check-config'], { a: 'routesfile: r\n', r: '* test\n* 127.0.0.1\n' });
  t.match(bad, { code: 1, stderr: 'line 2, column 3: target bad format: it has no port, as in 127.0.0.1:80\n' });
  const tenants = await run(t, ['--config', 'a', 'check-config'], {
    a: 'routesfile: r\n',
    r: 'a,prefix=t b:1\nb,prefix=t1 b:1\n* b:1\n',
  });
  t.match(tenants, {
    code: 0,
    stderr: /^warning: prefix t is the beginning of prefix t1: .*\nwarning: \*,.* has no prefix, /,
  });
  const apart = await run(t, ['--config', 'a', 'check-config', '--prefix-separator', '|'], {
    a: 'routesfile: r\n',
    r: 'a,prefix=t b:1\nb,prefix=t|1 b:1\n*,link_hosts=*.a b:1\n* test,channels\n',
  });
  t.equal(apart.code, 1);
  t.match(apart.stderr, /^line 2, column 3: prefix must not contain the prefix_separator '\|', nor run into it$/m);
  t.match(apart.stderr, /^line 3, column 3: link_hosts: '\*\.a' is no host, or host:port$/m);
  t.match(apart.stderr, /^line 4, column 3: channels must name at least one channel$/m);
  const old = await run(t, ['check-config', '--config', 'a'], {
    a: '[runner]\nhttp_port=0\nnew_thing=1\n',
    routes: '* test\n',
  });
  t.match(old, { code: 0, stderr: /^warning: \.\/a:3: runner\.new_thing: unknown key, ignored/ });
});

t.test('an option that the edge ignores is warned of, by check-config and at the start', async (t) => {
  const args = ['--edge', 'uws', '--client-header-timeout', '5', '--route', '* test', '--sig-key', 'k'];
  const warning = /--client-header-timeout: ignored with edge: uws, where a head has to be complete within 8 to 12 s/;
  const checked = await run(t, [...args, 'check-config']);
  t.match(checked, { code: 0, stderr: new RegExp(`^warning: ${warning.source}\n$`) });
  const holdfast = await startHoldfast(t, { args });
  t.match(await holdfast.record('of the warning', ({ level }) => level === 'warn'), { msg: warning });
});

t.test(
  'what is left open to others is warned of once, by check-config and at the start, whatever the workers',
  async (t) => {
    const settings = {
      ...{ push_in_http_addr: '0.0.0.0', push_in_http_allow_public: true, push_in_spec: 'tcp://0.0.0.0:*' },
      ...{ upstream_key_file: 'key', workers: 2 },
    };
    const directory = newDirectory(t);
    writeFileSync(join(directory, 'key'), 'secret', { mode: 0o644 });
    const holdfast = await startHoldfast(t, { routes: ['* test'], settings, directory });
    const warnings = holdfast.records().filter(({ level }) => level === 'warn');
    t.match(
      warnings.map(({ msg, time, level, pid, part, worker, ...fields }) => fields),
      [
        { option: 'sig_key' },
        { files: [join(directory, 'key')] },
        { option: 'push_in_http_addr', host: '0.0.0.0' },
        { sockets: { push_in_spec: 'tcp://0.0.0.0:*' } },
      ],
    );
    t.equal(warnings.length, 4);
    const check = runHoldfast(t, {
      directory,
      args: ['--config', 'holdfast.conf', '--route', '* test', 'check-config'],
    });
    t.match(await check.exited, { code: 0 });
    for (const { msg } of warnings) t.ok(check.stderr.includes(`warning: ${msg} ({`), String(msg));
  },
);

t.test('a key that cannot do its work ends check-config and the start, with the option or line', async (t) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const why = 'it is a public key, which cannot sign: the private key is needed\n';
  const cases = [
    ['sig_key: file:pem\nroutes: ["* test"]\n', /^\.\/a:1: sig_key: /],
    ['sig_key: k\nresume_key: file:pem\nroutes: ["* test"]\n', /^\.\/a:2: resume_key: /],
    ['sig_key: k\nroutesfile: r\n', /line 2, column 3: sig_key: /],
  ] as const;
  const files = { pem, r: '* test\n*,sig_key=file:pem,path_beg=/a 127.0.0.1:1\n' };
  for (const [a, place] of cases) {
    for (const command of [['check-config'], []]) {
      const { code, stderr } = await run(t, ['--config', 'a', '--port', '127.0.0.1:0', ...command], { ...files, a });
      t.match({ code, stderr }, { code: 1, stderr: new RegExp(`${place.source}${why}$`) }, `${a} ${command}`);
    }
  }
});

t.test('print-config: the effective values, with flags and environment applied, and no secret', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'a'), 'sig_key: hunter2\nupstream_key: hunter3\ndebug: true\nlog_level: info\n');
  const child = runHoldfast(t, {
    directory,
    args: ['print-config', '--config', 'a', '--log-level=debug'],
    env: { HOLDFAST_CDN_LOOP: 'edge' },
  });
  t.match(await child.exited, { code: 0 });
  t.notMatch(child.stdout, /hunter/);
  for (const line of ['debug: true', 'log_level: debug', 'cdn_loop: edge', 'http_port:']) {
    t.match(child.stdout, new RegExp(`^${line}`, 'm'));
  }
  const again = await run(t, ['--config', 'printed', 'print-config'], { printed: child.stdout });
  t.match(again, { code: 0, stderr: '' }, 'what is printed can be loaded');
});

/** Starts with a pushpin.conf and waits for `started`. */
async function startPushpin(t: Test, conf: string, args: readonly string[], target: string): Promise<Child> {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'pushpin.conf'), conf);
  writeFileSync(join(directory, 'routes'), `* ${target}\n`);
  const child = runHoldfast(t, { directory, args });
  await child.line(/ started(?:"\})?\n/);
  return child;
}

const clientsOf = (child: Child) => /listening on (\S+) \(clients\)/.exec(child.stdout)?.[1] ?? '';

t.test('a pushpin.conf is found in the working directory, and its routes file beside it', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end('by the routes file\n'));
  const conf =
    '[runner]\nservices=condure,pushpin-proxy,pushpin-handler\nhttp_port=127.0.0.1:0\n[proxy]\nroutesfile=routes\n';
  const child = await startPushpin(t, conf, [], origin.target);
  t.match(await ask(t, clientsOf(child)), { status: 200, text: 'by the routes file\n' });
});

t.test('the flags that Pushpin has, with a space or an equals sign; --route replaces the routes file', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(`flag ${request.headers['x-by']}\n`));
  const conf = '[runner]\nhttp_port=127.0.0.1:1\nlogdir=logs\n[handler]\npush_in_http_port=0\n';
  const route = `*,header=x-by:route ${origin.target}`;
  for (const args of [
    ['--port', '127.0.0.1:0', '--route', route, '--loglevel', '3', '-m'],
    ['--port=127.0.0.1:0', `--route=${route}`, '--loglevel=3', '--merge-output'],
    ['--port=127.0.0.1:0', '--route', `a.example ${origin.target}`, '--route', route, '--verbose', '-m'],
  ]) {
    const child = await startPushpin(t, conf, args, '127.0.0.1:1');
    t.match(await ask(t, clientsOf(child)), { status: 200, text: 'flag route\n' }, args.join(' '));
    const publish = { method: 'POST', body: '{"items":[]}' };
    await ask(t, `${/listening on (\S+) \(control\)/.exec(child.stdout)?.[1]}/publish/`, publish);
    await child.line(/^\[DEBUG\] /m);
  }
});

t.test('--id N moves the ports of the file up by N times ten', async (t) => {
  const [clients, control] = [await freePort(), await freePort()];
  const conf = `[runner]\nhttp_port=127.0.0.1:${clients - 20}\n[handler]\npush_in_http_port=${control - 20}\n`;
  const child = await startPushpin(t, conf, ['--id', '2'], 'test');
  t.equal(clientsOf(child), `http://127.0.0.1:${clients}`);
  t.match(child.stdout, `listening on http://127.0.0.1:${control} (control)`);
});
