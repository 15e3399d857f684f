/** The forms of the access log, with requests that try to forge lines, break fields and show secrets. */
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';

const origin = await startOrigin(t, (request, response) => {
  if (request.url?.startsWith('/missing') === true) response.writeHead(404).end('none');
  else if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened');
  else response.end('four');
});

const start = (settings: Readonly<Record<string, string | number | boolean>>) =>
  startHoldfast(t, { settings: { log_format: 'json', ...settings }, routes: [`* ${origin.target}`] });

const SECRET_PATH = '/a?token=s3cret&x=1;%74OKEN=s3cret&token[]=s3cret&tokens=shown';
const SHOWN_PATH = '/a?token=[redacted]&x=1;%74OKEN=[redacted]&token[]=[redacted]&tokens=shown';

/** Sends bytes as they are: quotes, a backslash, a tab, Latin-1 and a C1 control character, in each text that a line shows. */
async function hostile(holdfast: Holdfast): Promise<void> {
  const wire = await connectTo(t, holdfast.clients);
  const fields = [
    'Host: site',
    'Referer: http://r/?TOKEN=s3cret" 200 9 "x',
    'User-Agent: \\"}\tforged\xe9\x9b2J\x85[ERR] "',
    'Authorization: Bearer s3cret',
    'X-Kind: "quoted"\\',
    'Connection: close',
  ];
  wire.socket.write(Buffer.from(`GET ${SECRET_PATH} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1'));
}

t.test('combined: one line for a request, in which nothing ends a field or a line', async (t) => {
  const holdfast = await start({ log_access: 'combined', log_redact: 'query:token' });
  await hostile(holdfast);
  await holdfast.child.line(/^127\.0\.0\.1 .*\n/m);
  const text = /^127\.0\.0\.1 .*$/m.exec(holdfast.child.stdout)?.[0] as string;
  const stamp = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`;
  t.match(text, new RegExp(`^127\\.0\\.0\\.1 - - ${stamp} "`));
  const rest = text.slice(text.indexOf('] "') + 2);
  const referer = '"http://r/?TOKEN=[redacted]"';
  const agent = '"\\x5C\\x22}\\x09forged\\xE9\\x9B2J\\x85[ERR] \\x22"';
  t.equal(rest, `"GET ${SHOWN_PATH} HTTP/1.1" 200 4 ${referer} ${agent}`);
  t.notMatch(holdfast.child.stdout, /s3cret/);
});

t.test('json: an object for each line, with the fields that are named, in their order', async (t) => {
  const fields = 'status, url, ua, referer, header:authorization, header:x-kind, header:x-none, reason';
  const settings = { log_format: 'text', log_access: 'json', log_fields: fields, log_redact: 'query:token,x-kind' };
  const holdfast = await start(settings);
  await hostile(holdfast);
  const line = await holdfast.record('of the request', ({ status }) => status === 200);
  const { time, ...shown } = line;
  t.strictSame(Object.entries(shown), [
    ['level', 'info'],
    ['part', 'proxy'],
    ['status', 200],
    ['url', `http://site${SHOWN_PATH}`],
    ['ua', '\\"}\tforged\xe9\x9b2J\x85[ERR] "'],
    ['referer', 'http://r/?TOKEN=[redacted]'],
    ['header:authorization', '[redacted]'],
    ['header:x-kind', '[redacted]'],
  ]);
  t.match(time, /^\d{4}-\d\d-\d\dT/);
  t.notMatch(holdfast.child.stdout, /s3cret|[\x7f-\x9f]/);
});

t.test('pushpin: URLs without the parameters that are redacted', async (t) => {
  const holdfast = await start({ log_redact: 'query:token' });
  await hostile(holdfast);
  await holdfast.record('of the request', ({ url }) => url === `http://site${SHOWN_PATH}`);
  t.notMatch(holdfast.child.stdout, /s3cret/);
});

t.test('a sample of nothing has the requests that fail, and the holds of none', async (t) => {
  const holdfast = await start({ log_access: 'json', log_sample: '0%' });
  await ask(t, `${holdfast.clients}/`);
  const stream = await open(t, `${holdfast.clients}/stream`);
  await holdfast.publish({ channel: 'room', formats: { 'http-stream': { action: 'close' } } });
  await stream.end();
  await ask(t, `${holdfast.clients}/missing`);
  await holdfast.record('of the failure', ({ status }) => status === 404);
  t.equal(holdfast.records().filter(({ part }) => part === 'proxy').length, 1);
});

t.test('off: no lines', async (t) => {
  const holdfast = await start({ log_access: 'off' });
  await ask(t, `${holdfast.clients}/missing`);
  holdfast.child.signal('SIGTERM');
  await holdfast.child.exited;
  t.strictSame(
    holdfast.records().filter(({ part }) => part === 'proxy'),
    [],
  );
});
