/**
 * Clients that do everything right on new connections, and must get exactly what is theirs: a relayed request, a long
 * poll, a stream, and WebSockets to both kinds of origin.
 */
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import { fieldOf, readAnswers } from './answers.js';
import { tokenPath } from './hostile-origin.js';
import type { Fixture } from './kind.js';
import { converse } from './steps.js';

const LIMIT_MS = 10_000;
let count = 0;

const requestFor = (path: string) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: good\r\nConnection: close\r\n\r\n`);

/** Asks on a connection of its own; resolves with the only answer. */
async function ask(fixture: Fixture, path: string, done?: (text: string) => boolean) {
  const isDone = done === undefined ? {} : { done: (bytes: Buffer) => done(bytes.toString('latin1')) };
  const heard = await converse(fixture.node.port('clients'), [requestFor(path)], { limit: LIMIT_MS, ...isDone });
  const { answers, fault } = readAnswers(heard.bytes, heard.ended === 'fin');
  if (fault !== undefined || answers.length !== 1)
    throw new Error(`${fault ?? answers.length} ${heard.bytes.toString('latin1', 0, 500)}`);
  return answers[0] as (typeof answers)[number];
}

function expect(what: string, is: unknown, wanted: unknown): void {
  if (is !== wanted) throw new Error(`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);
}

async function relay(fixture: Fixture): Promise<void> {
  const name = `good-${++count}`;
  const answer = await ask(fixture, `/good/relay/${name}`);
  expect('status', answer.status, 200);
  expect('X-Good', fieldOf(answer, 'x-good'), name);
  expect('body', answer.body.toString(), `relay of ${name}\n`);
}

/** Over the connections that hostile answers have come on, too. */
async function relayFromHostile(fixture: Fixture): Promise<void> {
  const token = `good-${++count}`;
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nX-Good: ${token}\r\nContent-Length: ${token.length}\r\n\r\n${token}`);
  fixture.origin.plan(token, { answer: () => [bytes] });
  const answer = await ask(fixture, tokenPath('/f/', token));
  fixture.origin.forget(token);
  expect('status', answer.status, 200);
  expect('X-Good', fieldOf(answer, 'x-good'), token);
  expect('body', answer.body.toString(), token);
}

/** Publishes until a subscriber gets it, which must be the first time or one soon after. */
async function publishTo(fixture: Fixture, channel: string, formats: object): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await delay(5)) {
    const view = await fetch(`http://127.0.0.1:${fixture.node.port('control')}/channels/${channel}`);
    const { subscribers } = (await view.json()) as { subscribers: Record<string, number> };
    if (Object.values(subscribers).every((number) => number === 0)) continue;
    const { status, text } = await fixture.node.post('/publish/', JSON.stringify({ items: [{ channel, formats }] }));
    expect(`publish (${text})`, status, 200);
    return;
  }
  throw new Error(`nobody is subscribed to ${channel}`);
}

async function poll(fixture: Fixture): Promise<void> {
  const channel = `good-${++count}`;
  const answer = ask(fixture, `/good/response/${channel}`);
  answer.catch(() => {});
  await publishTo(fixture, channel, { 'http-response': { code: 203, reason: 'Good', body: `item of ${channel}` } });
  expect('status', (await answer).status, 203);
  expect('reason', (await answer).reason, 'Good');
  expect('body', (await answer).body.toString(), `item of ${channel}`);
}

async function stream(fixture: Fixture): Promise<void> {
  const channel = `good-${++count}`;
  const answer = ask(fixture, `/good/stream/${channel}`);
  answer.catch(() => {});
  await publishTo(fixture, channel, { 'http-stream': { content: `item of ${channel}\n` } });
  await publishTo(fixture, channel, { 'http-stream': { action: 'close' } });
  expect('body', (await answer).body.toString(), `[opened]\nitem of ${channel}\n`);
  expect('end', (await answer).whole, true);
}

/** A publisher that is refused: what is wrong is logged, so that the log is tried too. */
async function refused(fixture: Fixture): Promise<void> {
  const { status, text } = await fixture.node.post('/publish/', '{"items":[{"channel":"refused"}]}');
  expect('status', status, 400);
  expect('code', (JSON.parse(text) as { code: string }).code, 'ERR_GRIP_ITEM');
}

async function webSocket(fixture: Fixture, path: string): Promise<void> {
  const channel = `good-${++count}`;
  const socket = new WebSocket(`ws://127.0.0.1:${fixture.node.port('clients')}${path}`, { perMessageDeflate: false });
  const heard: string[] = [];
  let fault: string | undefined;
  let wake = () => {};
  socket.on('message', (data) => {
    heard.push(String(data));
    wake();
  });
  socket.on('error', (error) => {
    fault = error.message;
    wake();
  });
  socket.on('close', (code) => {
    fault ??= `closed with ${code}`;
    wake();
  });
  const next = async (wanted: string) => {
    for (const deadline = Date.now() + LIMIT_MS; heard.length === 0; ) {
      if (fault !== undefined || Date.now() > deadline) throw new Error(fault ?? `no ${wanted}`);
      await Promise.race([
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
        delay(100),
      ]);
    }
    expect('message', heard.shift(), wanted);
  };
  try {
    socket.once('open', () => {
      socket.send(`hello ${channel}`);
      socket.send(`!subscribe ${channel}`);
    });
    await next(`hello ${channel}`);
    await publishTo(fixture, channel, { 'ws-message': { content: `item of ${channel}` } });
    await next(`item of ${channel}`);
  } finally {
    socket.terminate();
  }
}

const clients: Readonly<Record<string, (fixture: Fixture) => Promise<void>>> = {
  relay,
  'relay from the hostile origin': relayFromHostile,
  'long poll': poll,
  stream,
  'refused publish': refused,
  WebSocket: (fixture) => webSocket(fixture, '/good/ws'),
  'WebSocket over HTTP': (fixture) => webSocket(fixture, '/good/events'),
};

/** Lets all of them come at the same time; resolves with what each got wrong. */
export async function knownGood(fixture: Fixture): Promise<string[]> {
  const faults = await Promise.all(
    Object.entries(clients).map(async ([name, client]) => {
      try {
        await client(fixture);
        return [];
      } catch (error) {
        return [`the good ${name} after it went wrong: ${(error as Error).message}`];
      }
    }),
  );
  return faults.flat();
}
