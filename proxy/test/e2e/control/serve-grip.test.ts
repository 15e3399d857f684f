/** GRIP's own Express middleware as the origin: the example application, and the middleware by itself. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateSig } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { startExample } from './example.js';

/** Has the application publish through its library. */
async function publish(t: Test, holdfast: Holdfast, text: string): Promise<void> {
  const answer = await ask(t, `${holdfast.clients}/publish`, { method: 'POST', body: text });
  t.match(answer, { status: 200, text: 'Published\n' });
}

/** For the tests of its routes as they are; each has answers of its own to look at. */
const example = await startExample(t);

t.test('the example: what the application publishes reaches its stream, its events and its long poll', async (t) => {
  const holdfast = example;
  const stream = await open(t, `${holdfast.clients}/stream`);
  const events = await open(t, `${holdfast.clients}/events`);
  await Promise.all([stream.until('[stream opened]\n'), events.until('event: stream-open\ndata:\n\n')]);
  t.match(stream.headers, { 'content-type': /^text\/plain/, 'transfer-encoding': 'chunked' });
  t.match(events.headers, { 'content-type': /^text\/event-stream/ });

  const polling = ask(t, `${holdfast.clients}/poll`);
  await holdfast.holds('response', 1);
  await publish(t, holdfast, 'one\ntwo');
  t.match(await polling, { status: 200, text: 'one\ntwo\n', headers: { 'content-length': '8' } });
  await stream.until('[stream opened]\ndata: one\ndata: two\n\n');
  await events.until('event: stream-open\ndata:\n\ndata: one\ndata: two\n\n');

  for (const answer of [stream, events]) {
    const grip = Object.keys(answer.headers).filter((name) => name.startsWith('grip-'));
    t.strictSame(grip, [], 'no GRIP header reaches the client');
  }
});

t.test('the example: what needs no hold is proxied', async (t) => {
  const answer = await ask(t, `${example.clients}/`);
  t.match(answer, { status: 200, text: 'Hello from the Express origin!\n', headers: { 'x-powered-by': 'Express' } });
  t.match(await ask(t, `${example.clients}/nowhere`), { status: 404 });
});

t.test('the example on a route that is no_grip sees an ordinary client', async (t) => {
  const holdfast = await startExample(t, { condition: '*,no_grip' });
  t.match(await ask(t, `${holdfast.clients}/stream`), { status: 501, text: 'Ask through the GRIP proxy.\n' });
});

/** An origin that is the middleware and nothing else: it tells what the middleware makes of each request. */
function startMiddleware(t: Test, verifyKey: string, timeout?: number) {
  const serveGrip = new ServeGrip({ grip: { control_uri: 'http://127.0.0.1:1/', verify_key: verifyKey } });
  return startOrigin(t, (request, response) => {
    serveGrip.exec(request, response, () => {
      const { grip } = request;
      if (timeout !== undefined) {
        const instruct = response.grip?.startInstruct();
        instruct?.addChannel('room');
        instruct?.setHoldLongPoll(timeout);
      }
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ isProxied: grip?.isProxied, isSigned: grip?.isSigned }));
    });
  });
}

t.test('the middleware takes a request for proxied', async (t) => {
  const origin = await startMiddleware(t, 'changeme');
  const holdfast = await startHoldfast(t, { routes: [`127.0.0.1 ${origin.target}`, `plain,no_grip ${origin.target}`] });
  const grip = await ask(t, `${holdfast.clients}/`);
  t.strictSame(JSON.parse(grip.text), { isProxied: true, isSigned: true });
  const plain = await ask(t, `${holdfast.clients}/`, { headers: { Host: 'plain', 'Grip-Sig': 'of the client' } });
  t.strictSame(JSON.parse(plain.text), { isProxied: false, isSigned: false });
});

/** The Grip-Sig that an origin receives from a Holdfast with these settings. */
async function signatureOf(t: Test, settings: Readonly<Record<string, string>>): Promise<string> {
  const origin = await startOrigin(t, (_request, response) => response.end());
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  await ask(t, `${holdfast.clients}/`, { headers: { 'Grip-Sig': 'forged' } });
  return String(origin.seen[0]?.headers['grip-sig']);
}

t.test('Grip-Sig verifies with the library: a shared secret, as text and in base64', async (t) => {
  const text = await signatureOf(t, { sig_iss: 'edge-7', sig_key: 'a secret' });
  t.equal(await validateSig(text, 'a secret', 'edge-7'), true);
  t.equal(await validateSig(text, 'a secret', 'another issuer'), false);
  t.equal(await validateSig(text, 'another secret', 'edge-7'), false);
  const binary = await signatureOf(t, { sig_key: 'base64:/wD+AQ==' });
  t.equal(await validateSig(binary, new Uint8Array([0xff, 0, 0xfe, 1]), 'pushpin'), true);
});

t.test('Grip-Sig verifies with the library: an elliptic key (ES256)', async (t) => {
  const encoding = { publicKeyEncoding: { type: 'spki', format: 'pem' } } as const;
  const pair = () =>
    generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      ...encoding,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
  const { publicKey, privateKey } = pair();
  const file = join(newDirectory(t), 'key.pem');
  writeFileSync(file, privateKey);
  const signature = await signatureOf(t, { sig_key: `file:${file}` });
  t.equal(await validateSig(signature, publicKey, 'pushpin'), true);
  t.equal(await validateSig(signature, pair().publicKey, 'pushpin'), false);
});

t.test('a long poll of the library that nothing answers ends with its own body after Grip-Timeout', async (t) => {
  // Five seconds is the least that a hold can ask for.
  const origin = await startMiddleware(t, 'changeme', 1);
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  const since = Date.now();
  const answer = await ask(t, `${holdfast.clients}/`);
  t.ok(Date.now() - since >= 4_990, 'a shorter time-out is raised to five seconds');
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json' } });
  t.strictSame(JSON.parse(answer.text), { isProxied: true, isSigned: true });
  t.match(await holdfast.record('of the end of the hold', ({ reason }) => reason === 'timeout'), { kind: 'response' });
});
