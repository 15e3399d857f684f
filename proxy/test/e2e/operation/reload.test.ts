/** What a running node takes up again: its routes, on SIGHUP and when the file changes, and its log file. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { type Origin, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const named = (t: Test, name: string): Promise<Origin> =>
  startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('room'));
    response.end(`${name}\n`);
  });

/** Holdfast with a routes file. */
async function start(t: Test, routes: string, settings: Record<string, string> = {}) {
  const directory = newDirectory(t);
  const file = join(directory, 'routes');
  writeFileSync(file, routes);
  const holdfast = await startHoldfast(t, { directory, settings: { routesfile: 'routes', ...settings } });
  return { holdfast, file };
}

const isLog = (text: string) => (record: { readonly msg?: unknown }) => String(record.msg).includes(text);

/** Sends SIGHUP and waits until the log says so. */
async function hangUp(holdfast: Holdfast, count = 1): Promise<void> {
  holdfast.child.signal('SIGHUP');
  await until('the reload', () => holdfast.records().filter(isLog('reloading')).length >= count);
}

t.test('SIGHUP loads the routes file; requests under way keep the route that they have', async (t) => {
  const [old, renewed] = await Promise.all([named(t, 'old'), named(t, 'new')]);
  const { holdfast, file } = await start(t, `* ${old.target}\n`);
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('old\n');
  writeFileSync(file, `* ${renewed.target}\n`);
  await hangUp(holdfast);
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'new\n' });
  await holdfast.publish(streamItem('room', 'item\n'));
  await stream.until('old\nitem\n');
});

t.test('a routes file that changes is loaded without being asked', async (t) => {
  const [old, renewed] = await Promise.all([named(t, 'old'), named(t, 'new')]);
  const { holdfast, file } = await start(t, `* ${old.target}\n`);
  t.match(await ask(t, `${holdfast.clients}/`), { text: 'old\n' });
  writeFileSync(`${file}.next`, `a.example ${old.target}\n* ${renewed.target}\n`);
  renameSync(`${file}.next`, file);
  await holdfast.record('of the change', isLog('routes file changed, reloading'));
  await holdfast.record('of the load', isLog('routes loaded with 2 entries'));
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'new\n' });
});

t.test('a bad routes file changes nothing, and the log says which line is bad', async (t) => {
  const [old, renewed] = await Promise.all([named(t, 'old'), named(t, 'new')]);
  const { holdfast, file } = await start(t, `* ${old.target}\n`);
  writeFileSync(file, `* ${renewed.target}\na.example nonsense\n`);
  await hangUp(holdfast);
  await holdfast.record('of the bad line', isLog('line 2, column 11: target bad format'));
  await holdfast.record('of the decision', isLog('keeping the routes in force'));
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'old\n' });

  renameSync(file, `${file}.away`);
  await hangUp(holdfast, 2);
  await holdfast.record('of the missing file', isLog('cannot read routes file'));
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'old\n' });

  writeFileSync(file, `* ${renewed.target}\n`);
  await hangUp(holdfast, 3);
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'new\n' }, 'a good one is taken again');
});

t.test('a reload with a key that cannot sign keeps the routes in force, and requests are signed on', async (t) => {
  const origin = await named(t, 'old');
  const directory = newDirectory(t);
  const file = join(directory, 'routes');
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(directory, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file, `*,sig_key=good ${origin.target}\n`);
  const holdfast = await startHoldfast(t, { directory, settings: { routesfile: file } });
  writeFileSync(file, `*,sig_key=file:public.pem ${origin.target}\n`);
  await hangUp(holdfast);
  await holdfast.record('of the key', isLog('sig_key: it is a public key, which cannot sign'));
  await holdfast.record('of the decision', isLog('keeping the routes in force'));
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'old\n' });
});

t.test('SIGHUP opens the log file anew after it was renamed', async (t) => {
  const origin = await named(t, 'origin');
  const directory = newDirectory(t);
  const file = join(directory, 'holdfast.log');
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [`* ${origin.target}`],
    settings: { logfile: file },
  });
  const has = (name: string, text: string) => existsSync(name) && readFileSync(name, 'utf8').includes(text);
  await ask(t, `${holdfast.clients}/first`);
  await until('the first line', () => has(file, '/first'));

  renameSync(file, `${file}.1`);
  await ask(t, `${holdfast.clients}/second`);
  await until('the second line, in the renamed file', () => has(`${file}.1`, '/second'));
  holdfast.child.signal('SIGHUP');
  await until('the file', () => existsSync(file));
  await ask(t, `${holdfast.clients}/third`);
  await until('the third line', () => has(file, '/third'));
  t.notOk(has(`${file}.1`, '/third'));
  t.match(await holdfast.child.stop(), { code: 0 });
  t.ok(has(file, 'stopped'), 'the last line is there');
});

t.test('SIGHUP without a log file and without a routes file harms nobody', async (t) => {
  const origin = await named(t, 'origin');
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('origin\n');
  await hangUp(holdfast);
  await holdfast.publish(streamItem('room', 'item\n'));
  await stream.until('item\n');
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200 });
});

t.test(
  'a routes file that is emptied or cut short changes nothing, however it is loaded, and the log says why',
  async (t) => {
    const [old, renewed] = await Promise.all([named(t, 'old'), named(t, 'new')]);
    const { holdfast, file } = await start(t, `* ${old.target}\n`);
    writeFileSync(file, '');
    await holdfast.record('of the empty file', isLog(`${file} has no routes any more`));
    t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'old\n' });
    writeFileSync(file, `* ${renewed.target}`);
    await hangUp(holdfast);
    await holdfast.record('of the open end', isLog(`${file} has no end of line after its last line`));
    t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'old\n' });
    writeFileSync(file, `* ${renewed.target}\n`);
    await holdfast.record('of the load', (record) => isLog('routes file changed')(record));
    await until('the new routes', async () => (await ask(t, `${holdfast.clients}/`)).text === 'new\n');
  },
);

t.test('a ConfigMap and `ln -sfn` are followed', async (t) => {
  const [one, two] = await Promise.all([named(t, 'one'), named(t, 'two')]);
  const directory = newDirectory(t);
  for (const [name, origin] of [
    ['v1', one],
    ['v2', two],
  ] as const) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'routes'), `* ${origin.target}\n`);
  }
  symlinkSync('v1', join(directory, '..data'));
  symlinkSync('..data/routes', join(directory, 'routes'));
  const holdfast = await startHoldfast(t, { directory, settings: { routesfile: 'routes' } });
  t.match(await ask(t, `${holdfast.clients}/`), { text: 'one\n' });
  for (const [version, text] of [
    ['v2', 'two\n'],
    ['v1', 'one\n'],
  ] as const) {
    symlinkSync(version, join(directory, '..next'));
    renameSync(join(directory, '..next'), join(directory, '..data'));
    await until('the other routes', async () => (await ask(t, `${holdfast.clients}/`)).text === text);
  }
});
