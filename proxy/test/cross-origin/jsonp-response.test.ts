import vm from 'node:vm';
import type { ResponseHead } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { JsonpResponse } from '../../dist/cross-origin/jsonp.js';
import { StreamPiece } from '../../dist/edge/port.js';
import { MemoryResponse } from './memory-response.js';

const NOSNIFF = ['X-Content-Type-Options', 'nosniff'];

const OK: ResponseHead = { status: 200, reason: 'OK', headers: [] };

/** An answer for a call of `cb`, given in these parts. */
function answer(parts: readonly (string | Buffer)[], mode: 'basic' | 'extended' = 'extended', head = OK) {
  const inner = new MemoryResponse();
  const response = new JsonpResponse(inner, { request: {} as never, callback: 'cb', mode });
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  response.writeHead(head, body.length);
  for (const part of parts) response.write(Buffer.from(part));
  response.end();
  return inner;
}

/** What the function is called with when a browser runs the script. */
function run(script: Buffer): unknown {
  const calls: unknown[][] = [];
  vm.runInNewContext(script.toString(), { cb: (...args: unknown[]) => void calls.push(args) });
  if (calls.length !== 1) throw new Error(`${calls.length} calls`);
  // Objects of another context are of other classes.
  return JSON.parse(JSON.stringify(calls[0]?.[0]));
}

t.test('extended: code, reason, fields and body, in one script of known length', async (t) => {
  const headers = ['Content-Type', 'text/x', 'X-A', '1', 'x-a', '2', 'Cache-Control', 'no-store'];
  const inner = answer(['he', 'llo "you"\n'], 'extended', { status: 404, reason: 'Not "there"', headers });
  const script =
    '/**/cb({"code": 404, "reason": "Not \\"there\\"", "headers": {"Content-Type":"text/x","X-A":"1",' +
    '"Cache-Control":"no-store"}, "body": "hello \\"you\\"\\n"});\n';
  t.equal(inner.body.toString(), script);
  t.equal(inner.length, script.length);
  t.strictSame(inner.head, {
    status: 200,
    reason: 'OK',
    headers: ['Content-Type', 'application/javascript', ...NOSNIFF, 'Cache-Control', 'no-store'],
  });
  t.equal(inner.end_, 'end');
});

t.test('basic: the body as it is, without the newline at its end', async (t) => {
  for (const [parts, script] of [
    [['{"a": 1}\n'], '/**/cb({"a": 1});\n'],
    [['{"a": 1}'], '/**/cb({"a": 1});\n'],
    [['[1,\n', '2]\n', '\n'], '/**/cb([1,\n2]\n);\n'],
    [[], '/**/cb();\n'],
  ] as const) {
    t.equal(answer(parts, 'basic', { ...OK, status: 500 }).body.toString(), script);
  }
});

t.test('a body that is not UTF-8 is refused, with a status', async (t) => {
  for (const body of [Buffer.from([0xff]), Buffer.from('é').subarray(0, 1), Buffer.from([0xed, 0xa0, 0x80])]) {
    const inner = answer([body]);
    t.match(inner.head, { status: 500, reason: 'Internal Server Error', headers: ['Content-Type', 'text/plain'] });
    t.equal(inner.body.toString(), 'Upstream response could not be JSON-P encoded.\n');
  }
});

t.test('a character that is cut by the parts of a body is whole in the script', async (t) => {
  const bytes = Buffer.from('€😀');
  const parts = [...bytes].map((byte) => Buffer.from([byte]));
  t.match(run(answer(parts).body), { body: '€😀' });
});

const LONG = 'x'.repeat(100_000);

t.test('a long body is streamed, and the flow is the client’s', async (t) => {
  const inner = new MemoryResponse();
  const response = new JsonpResponse(inner, { request: {} as never, callback: 'cb', mode: 'extended' });
  response.writeHead(OK, undefined);
  t.ok(response.write(Buffer.from(LONG)));
  t.equal(inner.head, undefined, 'so far it may still be refused');
  inner.takes = false;
  t.notOk(response.write(Buffer.from('é😀').subarray(0, 4)));
  t.match(inner.head, { status: 200 });
  t.equal(inner.length, undefined);
  inner.takes = true;
  t.ok(response.write(Buffer.from('é😀\n').subarray(4)));
  response.end(Buffer.from('end'));
  t.match(run(inner.body), { body: `${LONG}é😀\nend` });
  t.equal(inner.end_, 'end');
});

t.test('a long body in basic mode: the newline at its end may come by itself', async (t) => {
  const inner = answer([`"${LONG}`, 'y', '"', '\n'], 'basic');
  t.equal(inner.body.toString(), `/**/cb("${LONG}y");\n`);
});

t.test('a long body that turns out not to be UTF-8 is broken off, be it at its very end', async (t) => {
  for (const bad of [Buffer.from([0xff]), Buffer.from('é').subarray(0, 1)]) {
    const inner = answer([LONG, 'more', bad]);
    t.equal(inner.end_, 'abort');
    t.notOk(inner.body.includes('});'));
  }
});

t.test('what has ended, or was broken off, takes nothing more', async (t) => {
  const inner = new MemoryResponse();
  const response = new JsonpResponse(inner, { request: {} as never, callback: 'cb', mode: 'extended' });
  response.writeHead(OK, undefined);
  response.end(Buffer.from('x'));
  response.write(Buffer.from('y'));
  response.end();
  t.match(run(inner.body), { body: 'x' });
});

t.test('a stream that is held goes out as it is: its head at once, then its pieces', async (t) => {
  const inner = new MemoryResponse();
  const response = new JsonpResponse(inner, { request: {} as never, callback: 'cb', mode: 'extended' });
  const head = { status: 201, reason: 'x', headers: ['X-A', '1'] };
  response.writeHead(head, undefined, true);
  t.match(inner.head, { ...head, headers: [...NOSNIFF, 'X-A', '1'] });
  response.write(Buffer.from([0xff]));
  response.push(new StreamPiece(Buffer.from('"item"')));
  response.end();
  t.equal(inner.body.toString('latin1'), '\xff"item"');
});

t.test('line separators of Unicode, which end a line in old scripts, are escaped', async (t) => {
  const head = { ...OK, reason: Buffer.from('\u2028').toString('latin1') };
  const script = answer(['a\u2028b\u2029'], 'extended', head).body.toString();
  t.notMatch(script, /[\u2028\u2029]/);
  t.match(run(Buffer.from(script)), { body: 'a\u2028b\u2029', reason: '\u2028' });
});

t.test('fields by any name, __proto__ too', async (t) => {
  const head = { ...OK, headers: ['__proto__', 'x', 'constructor', 'y', 'X-Ü', Buffer.from('é').toString('latin1')] };
  const { headers } = run(answer([''], 'extended', head).body) as { headers: Record<string, string> };
  t.equal(headers.constructor, 'y');
  t.equal(headers['X-Ü'], 'é');
});

const cuts = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 6 });
const text = fc.string({ unit: 'binary', maxLength: 200 });

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.filter((place) => place < bytes.length).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, i) => bytes.subarray(places[i], place));
}

t.test('any text, in whatever parts, comes out of the script as it was', async () => {
  fc.assert(
    fc.property(text, cuts, fc.boolean(), (body, at, long) => {
      const bytes = Buffer.concat([Buffer.from(long ? LONG : ''), Buffer.from(body)]);
      const sizes = long ? at.map((place) => LONG.length + place) : at;
      const { body: got } = run(answer(cut(bytes, sizes)).body) as { body: string };
      return got === bytes.toString();
    }),
    { numRuns: 300 },
  );
});

// In a script, unlike in JSON, `__proto__` in an object literal is not a member.
const plainJson = fc.json().filter((json) => !json.includes('__proto__'));

t.test('any JSON, in whatever parts, is what the function of a basic call gets', async () => {
  fc.assert(
    fc.property(plainJson, cuts, fc.constantFrom('', '\n'), (json, at, end) => {
      const got = run(answer(cut(Buffer.from(json + end), at), 'basic').body);
      return JSON.stringify(got) === JSON.stringify(JSON.parse(json));
    }),
    { numRuns: 300 },
  );
});

t.test('any bytes at all make a script, a refusal or a broken answer, never a script that lies', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), cuts, fc.boolean(), (bytes, at, long) => {
      const body = Buffer.concat([Buffer.from(long ? LONG : ''), bytes]);
      const inner = answer(cut(body, at));
      const isText = Buffer.from(body.toString()).equals(body);
      if (!isText) return inner.end_ === 'abort' || inner.head?.status === 500;
      return (run(inner.body) as { body: string }).body === body.toString();
    }),
    { numRuns: 300 },
  );
});

t.test('no cookie of the answer reaches the script, nor is it set by loading it', async (t) => {
  const cookies = ['Set-Cookie', 'sid=1', 'set-cookie', 'b=2', 'SET-COOKIE2', 'c=3'];
  const head = { ...OK, headers: [...cookies, 'X-A', '1'] };
  const inner = answer(['x'], 'extended', head);
  t.match(run(inner.body), { headers: { 'X-A': '1' } });
  t.notMatch(`${inner.body} ${inner.head?.headers.join()}`, /cookie/i);
  const stream = new MemoryResponse();
  new JsonpResponse(stream, { request: {} as never, callback: 'cb', mode: 'extended' }).writeHead(
    head,
    undefined,
    true,
  );
  t.strictSame(stream.head?.headers, [...NOSNIFF, 'X-A', '1']);
});

t.test('a script is no other type, and is kept no longer and for no others than the answer may be', async (t) => {
  const head = { ...OK, headers: ['Vary', 'Cookie', 'cache-control', 'max-age=5', 'Vary', 'Accept', 'ETag', 'x'] };
  t.strictSame(answer(['x'], 'basic', head).head?.headers, [
    ...['Content-Type', 'application/javascript', ...NOSNIFF],
    ...['Vary', 'Cookie', 'cache-control', 'max-age=5', 'Vary', 'Accept'],
  ]);
  t.match(answer([Buffer.from([0xff])]).head?.headers, [
    ...['Content-Type', 'text/plain', 'Cache-Control', 'no-store', ...NOSNIFF],
  ]);
});
