/** curl as the client and as the publisher: the commands that people type first. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, startChild } from '../../kit/child.js';
import { newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';

if (spawnSync('curl', ['--version']).status !== 0) {
  console.error('WARNING: curl is not installed: nothing is tested with curl as the client');
  t.plan(0, 'curl is not installed');
  process.exit(0);
}

const LONG = 200_000;

const origin = await startOrigin(t, (request, response, seen) => {
  const { url } = request;
  if (url === '/stream') {
    response.writeHead(200, streamHold('room'));
    response.end('[stream opened]\n');
  } else if (url === '/poll') {
    response.writeHead(200, responseHold('room'));
    response.end('nothing new\n');
  } else if (url === '/chunks') {
    response.write('first ');
    response.write('second ');
    response.end('third\n');
  } else {
    request.on('end', () => {
      response.setHeader('X-Origin', 'yes');
      response.end(`${seen.method} ${seen.body.length}\n`);
    });
  }
});
const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
const { clients, control } = holdfast;

/** Starts curl, silent but for errors, never with what this machine has in .curlrc or as a proxy. */
function curl(t: Test, ...args: readonly string[]): Child {
  const always = ['--disable', '--noproxy', '*', '--silent', '--show-error', '--max-time', '30'];
  return startChild(t, { command: 'curl', args: [...always, ...args] });
}

/** Runs curl to its end. */
async function run(t: Test, ...args: readonly string[]): Promise<string> {
  const child = curl(t, ...args);
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`curl ended with ${code}: ${child.stderr}`);
  return child.stdout;
}

/** The head of what `curl --include` printed, and its body. */
function parts(output: string): { head: string; body: string } {
  const end = output.indexOf('\r\n\r\n');
  return { head: output.slice(0, end), body: output.slice(end + 4) };
}

const items = (formats: object) => JSON.stringify({ items: [{ channel: 'room', formats }] });

t.test('curl -N shows a stream as it grows, and curl -d publishes into it', async (t) => {
  const stream = curl(t, '-N', `${clients}/stream`);
  await stream.line(/^\[stream opened\]\n/);
  const body = items({ 'http-stream': { content: 'hello\n' } });
  t.equal(await run(t, '-d', body, `${control}/publish/`), 'Published\n');
  await stream.line(/^\[stream opened\]\nhello\n$/);
  t.equal(await run(t, '-d', items({ 'http-stream': { action: 'close' } }), `${control}/publish/`), 'Published\n');
  t.match(await stream.exited, { code: 0 }, 'curl saw a clean end');
});

t.test('a long poll is answered by the item', async (t) => {
  const poll = curl(t, '-i', `${clients}/poll`);
  await holdfast.holds('response', 1);
  const body = items({ 'http-response': { body: 'hello\n', code: 202 } });
  t.equal(await run(t, '-d', body, `${control}/publish/`), 'Published\n');
  t.match(await poll.exited, { code: 0 });
  t.match(parts(poll.stdout), { head: /^HTTP\/1\.1 202 Accepted\r\n/, body: 'hello\n' });
  t.notMatch(poll.stdout, /grip-/i);
});

t.test('publish answers in JSON when asked to, and says what is wrong with an item', async (t) => {
  const good = await run(
    t,
    '-H',
    'Accept: application/json',
    '-d',
    items({ 'http-stream': { content: 'unheard' } }),
    `${control}/publish/`,
  );
  t.match(JSON.parse(good), { message: 'Published', items: [{ channel: 'room', subscribers: 0 }] });
  const bad = await run(t, '-w', '%{http_code}', '-d', '{"items":[{}]}', `${control}/publish/`);
  t.match(bad, /^Invalid format: .*\n400$/);
});

t.test('an upload that waits for 100 Continue gets it, and the origin gets the body whole', async (t) => {
  const file = join(newDirectory(t), 'body');
  writeFileSync(file, 'x'.repeat(LONG));
  // With a longer wait than the test allows, only an interim answer lets the body go.
  const args = ['-v', '--expect100-timeout', '60', '-H', 'Expect: 100-continue', '--data-binary', `@${file}`];
  const child = curl(t, ...args, `${clients}/upload`);
  t.match(await child.exited, { code: 0 });
  t.match(child.stderr, /< HTTP\/1\.1 100 Continue\r?\n/);
  t.equal(child.stdout, `POST ${LONG}\n`);
  const seen = origin.seen.at(-1);
  t.match(seen, { headers: { 'content-length': String(LONG) } });
  t.equal(seen?.headers.expect, undefined, 'the expectation is met here, not by the origin');
});

t.test('an upload in chunks reaches the origin in chunks', async (t) => {
  const file = join(newDirectory(t), 'body');
  writeFileSync(file, 'y'.repeat(LONG));
  const args = ['-X', 'PUT', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '--data-binary', `@${file}`];
  t.equal(await run(t, ...args, `${clients}/upload`), `PUT ${LONG}\n`);
  t.match(origin.seen.at(-1)?.headers, { 'transfer-encoding': 'chunked' });
  t.equal(origin.seen.at(-1)?.headers['content-length'], undefined);
});

t.test('HTTP/1.0: an answer of unknown length, and a stream, are ended by the close of the connection', async (t) => {
  const answer = parts(await run(t, '--http1.0', '-i', `${clients}/chunks`));
  t.match(answer, { head: /^HTTP\/1\.[01] 200 OK\r\n/, body: 'first second third\n' });
  t.notMatch(answer.head, /transfer-encoding/i);

  const stream = curl(t, '--http1.0', '-N', '-i', `${clients}/stream`);
  await stream.line(/\r\n\r\n\[stream opened\]\n$/);
  await run(t, '-d', items({ 'http-stream': { content: 'hello\n' } }), `${control}/publish/`);
  await stream.line(/\r\n\r\n\[stream opened\]\nhello\n$/);
  await run(t, '-d', items({ 'http-stream': { action: 'close' } }), `${control}/publish/`);
  t.match(await stream.exited, { code: 0 });
});

t.test('HEAD shows the length without a body, and the connection serves the next request', async (t) => {
  const output = await run(t, '--head', `${clients}/page`, '--next', '-s', '-w', '%{num_connects}', `${clients}/page`);
  t.match(output, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(output, /\r\nX-Origin: yes\r\n/);
  t.match(output, /\r\n\r\nGET 0\n0$/, 'no second connection');
});
