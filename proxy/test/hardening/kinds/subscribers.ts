/** Clients of the target `subscribe`: odd channels, tokens, places of tokens and resume ids, and frames of their WebSockets. */
import { createHmac } from 'node:crypto';
import { readAnswers } from '../answers.js';
import { frameFaults, randomFrames } from '../frames.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { deepJson, mutatedBytes, mutatedObject, oddJson, oddNames, oddNumbers, oddText, oddValue } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeSteps, type Step } from '../steps.js';
import { checkOneAnswer } from './origin-answers.js';
import { item } from './publishes.js';
import { ownRefusal } from './web-sockets.js';

const json = JSON.stringify;

/** The key of tokens, and the channels for everybody, on routes with the target in every fixture. */
export const TOKEN_KEY = 'hardening';
export const PUBLIC = 'free-*';

const part = (text: string) => Buffer.from(text).toString('base64url');

/** A token, mostly with a right signature. */
function tokenOf(random: Random, token: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = mutatedObject(random, [
    ['exp', random.once(4) ? random.pick([`${now + 1}`, '1', '"x"', '1e99']) : `${now + 600}`],
    ['sub', json(random.once(8) ? oddText(random) : token)],
    ['channels', random.once(8) ? oddJson(random) : json([random.once(3) ? '*' : `*${token}*`])],
    ...(random.once(4) ? [['expire_at', random.pick(['0', `${now + 1}`, '-1', 'null'])] as const] : []),
    ...(random.once(4) ? [['mercure', random.once(2) ? oddJson(random) : json({ subscribe: [token] })] as const] : []),
    ...(random.once(4)
      ? [
          [
            'authorization_details',
            random.once(2)
              ? oddJson(random)
              : json([
                  {
                    type: 'https://mercure.rocks/authorization-detail',
                    actions: ['subscribe'],
                    topics: [{ match: token }],
                  },
                ]),
          ] as const,
        ]
      : []),
    ...(random.once(5) ? [['iat', random.pick(['0', `${now}`, '-1', '"1"'])] as const] : []),
  ]);
  const head = random.once(8)
    ? random.pick([
        '{"alg":"none"}',
        '{"alg":"HS512"}',
        '{"alg":"HS256","kid":"__proto__"}',
        '{"alg":"RS256"}',
        '{}',
        'x',
        deepJson(2_000, true),
      ])
    : '{"alg":"HS256","typ":"JWT"}';
  const signed = `${part(head)}.${part(claims)}`;
  const signature = createHmac('sha256', TOKEN_KEY).update(signed).digest('base64url');
  const whole = `${signed}.${random.once(10) ? part(oddText(random)) : signature}`;
  return random.once(12) ? oddValue(random).replace(/[\r\n\0]/g, '.') : whole;
}

const oddParameters = ['matchURLPattern', 'last-event-id', 'lastEventID', 'holdfast-last-event-id', '__proto__'];

const paths = ['', '/events', '/lines', '/stream', '/poll', '/ws', '/ws', '/ws', '/x', '/..', '//'];

function requestOf(random: Random, token: string): { readonly head: Buffer; readonly isSocket: boolean } {
  const path = random.pick(paths);
  const isSocket = path === '/ws' || random.once(8);
  const channel = () =>
    encodeURIComponent(
      random.once(10)
        ? (random.pick(oddNames) as string).replace(/[\ud800-\udfff]/g, '%')
        : random.pick([token, `free-${token}`]),
    );
  const parameters = random.list(
    isSocket ? 0 : 1,
    random.once(8) ? 150 : 2,
    () => `${random.pick(random.once(8) ? oddParameters : ['channel', 'channel', 'topic', 'match'])}=${channel()}`,
  );
  const fields = random.shuffle([
    ...(random.once(5)
      ? []
      : [
          random.one(
            () => `Authorization: Bearer ${tokenOf(random, token)}`,
            () => `Authorization: Bearer ${tokenOf(random, token)}`,
            () => `Authorization: ${random.pick(['Bearer', 'bearer ', 'Basic eDp5', 'Bearer a b'])}`,
            () => `Cookie: a=b; holdfast_token=${tokenOf(random, token)}; ${random.once(2) ? '__proto__=x' : ''}`,
          ),
        ]),
    ...(random.once(8)
      ? [
          `Origin: ${random.pick(['https://app.example.com', 'null', 'http://test', 'https://evil.example', oddValue(random).replace(/[\r\n\0]/g, '.')])}`,
        ]
      : []),
    ...(random.once(4)
      ? [
          `Last-Event-ID: ${random.pick([...oddNumbers, 'a:1', '0', '-', 'x'.repeat(9_000)].map((id) => Buffer.from(id).toString('latin1')))}`,
        ]
      : []),
    ...(random.once(3)
      ? [
          `Accept: ${random.pick(['text/event-stream', 'application/x-ndjson', 'application/json', 'text/plain', '*/*;q=0', ',', 'a/b;q=x'])}`,
        ]
      : []),
  ]);
  const upgrade = isSocket
    ? [
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ...(random.once(3)
          ? [
              `Sec-WebSocket-Protocol: ${random.one(
                () => `holdfast-token.${tokenOf(random, token)}, holdfast`,
                () => random.pick(['holdfast', 'holdfast-token.', ',', 'a, a']),
              )}`,
            ]
          : []),
      ]
    : ['Connection: close'];
  const method = random.once(12) ? random.pick(['HEAD', 'OPTIONS', 'POST', 'DELETE']) : 'GET';
  const target = `/sub${path}${parameters.length > 0 ? `?${parameters.join('&')}` : ''}`;
  return {
    head: Buffer.from(
      [`${method} ${target} HTTP/1.1`, 'Host: test', ...upgrade, ...fields, '', ''].join('\r\n'),
      'latin1',
    ),
    isSocket,
  };
}

/** What a client says over its WebSocket. */
const says = (token: string) => (random: Random) => {
  const channels = () =>
    json(
      random.list(0, random.pick([1, 3, 130]), () =>
        random.once(4) ? oddText(random) : random.pick([token, `free-${token}`]),
      ),
    );
  const text = random.one(
    () =>
      mutatedObject(random, [
        ['subscribe', channels()],
        ['id', random.pick(['1', '"a"', `"${'i'.repeat(200)}"`, 'null'])],
      ]),
    () =>
      mutatedObject(random, [
        ['subscribe', channels()],
        ['unsubscribe', channels()],
      ]),
    () =>
      mutatedObject(random, [
        ['token', json(tokenOf(random, token))],
        ['id', '2'],
      ]),
    () => oddJson(random),
    () => deepJson(random.pick([50, 5_000]), true),
  );
  return random.once(8) ? mutatedBytes(random, Buffer.from(text)).toString() : text;
};

async function play(
  fixture: Fixture,
  isSocket: boolean,
  method: string,
  steps: readonly Step[],
  items: readonly string[],
): Promise<string[]> {
  const talk = converse(fixture.node.port('clients'), steps, { limit: 4_000, quiet: 500 });
  const complaints: string[] = [];
  for (const one of items) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { status } = await fixture.node.post('/publish/', `{"items":[${one}]}`);
    if (status !== 200 && status !== 400 && status !== 413) complaints.push(`a publish was answered ${status}`);
  }
  const { bytes, ended } = await talk;
  const isOpen = isSocket && bytes.toString('latin1', 0, 12) === 'HTTP/1.1 101';
  if (!isOpen) return [...complaints, ...checkOneAnswer(bytes, ended === 'fin', method)];
  const whole = fixture.edge === 'uws' ? bytes.subarray(0, ownRefusal(bytes)) : bytes;
  const { answers, fault } = readAnswers(whole, ended === 'fin' && whole.length === bytes.length, [method]);
  if (fault !== undefined) complaints.push(`the handshake's answer is none: ${fault}`);
  const frames = answers[0]?.body ?? Buffer.alloc(0);
  return [...complaints, ...frameFaults(frames, { masked: false, compressed: false })];
}

function make(random: Random, token: string): Case {
  const { head, isSocket } = requestOf(random, token);
  const method = head.toString('latin1', 0, head.indexOf(' '));
  const frames = isSocket ? [30, Buffer.concat(randomFrames(random, true, says(token)))] : [];
  const steps: Step[] = [head, ...frames];
  const channel = () => (random.once(2) ? token : `free-${token}`);
  const formats = { 'http-stream': { content: 'a\n' }, 'http-response': { body: 'a' }, 'ws-message': { content: 'a' } };
  const items = random.list(0, 3, () =>
    random.once(2) ? item(random, channel()) : json({ channel: channel(), formats }),
  );
  return {
    text: `${describeSteps(steps)}, then ${items.join('; ').slice(0, 2_000)}`,
    play: (fixture) => play(fixture, isSocket, method, steps, items),
  };
}

/** Clients that no origin has held. */
export const subscribers: Kind = { name: 'subscribers', together: 16, make };
