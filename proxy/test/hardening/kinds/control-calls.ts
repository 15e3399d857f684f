/**
 * All paths of the control API but publishes: lists, views, users, connections, history, callbacks, tokens, with odd parameters and
 * bodies, while a client of the case is held that some of them may find.
 */
import { readAnswers } from '../answers.js';
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { mutatedBytes, mutatedObject, oddJson, oddNames, oddNumbers, oddText } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeBytes } from '../steps.js';
import { checkOneAnswer, hostileAnswer } from './origin-answers.js';
import { formats } from './publishes.js';

const json = JSON.stringify;

/** A call before it is bytes. */
interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** A name as a segment of a path or a value of a query, mostly in its right form. */
function named(random: Random, token: string): string {
  const name = random.once(3)
    ? random.one(
        () => random.pick(oddNames),
        () => oddText(random).slice(0, 4_000),
      )
    : token;
  if (random.once(8))
    return Buffer.from(name)
      .toString('latin1')
      .replace(/[\r\n\0 ]/g, '.');
  try {
    return encodeURIComponent(name);
  } catch {
    // Half of a surrogate pair.
    return encodeURIComponent(name.replace(/[\ud800-\udfff]/g, '%'));
  }
}

/** A query of these parameters, some odd, doubled or unknown. */
function query(random: Random, token: string, names: readonly string[]): string {
  const value = () =>
    random.one(
      () => named(random, token),
      () => encodeURIComponent(random.pick(oddNumbers)),
    );
  const wanted = random.list(0, 3, () => `${random.once(10) ? named(random, token) : random.pick(names)}=${value()}`);
  if (random.once(12)) wanted.push(...random.list(1, 120, () => `except=${token}`));
  return wanted.length === 0 && !random.once(9) ? '' : `?${wanted.join('&')}`;
}

/** A document as the body of a call: one of the given members, or anything. */
const documentOf = (random: Random, members: readonly (readonly [string, string])[]): string =>
  random.once(5) ? oddJson(random) : mutatedObject(random, members);

const ends = ['code', 'reason', 'except'];

/** A call of `PUT /subscriptions/{id}`, or nearly; `url` leads to the origin of the case. */
function callbackDocument(random: Random, token: string, url: string): string {
  const secret = json(`whsec_${Buffer.alloc(random.once(6) ? random.pick([65, 23, 0]) : 24).toString('base64')}`);
  return documentOf(random, [
    [
      'url',
      json(
        random.once(4)
          ? random.pick([
              '',
              'x',
              'ftp://a/',
              'http://',
              'http://u:p@h/',
              `${url}#f`,
              'http://[::1]:1/',
              oddText(random),
            ])
          : url,
      ),
    ],
    ['secret', random.once(4) ? json(oddText(random)) : secret],
    ['channels', json(random.list(1, random.pick([1, 1, 2, 22]), () => (random.once(8) ? oddText(random) : token)))],
    ['ttl', random.once(5) ? random.pick(['1', '0', '-1', '1e99', '"60"']) : '60'],
    ...(random.once(4) ? [['filters', json(['var-subst'])] as const, ['meta', oddJson(random)] as const] : []),
  ]);
}

/** One call; `id` is that of the only callback that the case may make. */
function call(random: Random, token: string, url: string): Call {
  const name = () => named(random, token);
  const item = () =>
    documentOf(random, [['formats', formats(random)], ...(random.once(6) ? [['channel', json(token)] as const] : [])]);
  const channels = () =>
    documentOf(random, [
      ['channels', json(random.list(0, random.pick([1, 3, 120]), () => (random.once(3) ? oddText(random) : token)))],
    ]);
  const revoked = () =>
    documentOf(random, [
      ['sub', json(random.once(2) ? oddText(random) : token)],
      ['before', random.pick(['0', '-1', '1e99', '1e400', 'null', '"1"', '9007199254740993', '1.5'])],
    ]);
  return random.one<Call>(
    () => ({
      method: 'GET',
      path: `/connections${query(random, token, ['user', 'channel', 'route', 'limit', 'cursor'])}`,
    }),
    () => ({ method: 'GET', path: `/channels${query(random, token, ['prefix', 'limit', 'cursor'])}` }),
    () => ({ method: 'GET', path: `/users/${name()}${query(random, token, ['limit', 'cursor'])}` }),
    () => ({ method: 'DELETE', path: `/users/${name()}${query(random, token, ends)}` }),
    () => ({ method: 'POST', path: `/users/${name()}`, body: item() }),
    () => ({ method: 'GET', path: `/connections/${name()}` }),
    () => ({ method: 'DELETE', path: `/connections/${name()}${query(random, token, ends)}` }),
    () => ({ method: 'POST', path: `/connections/${name()}`, body: item() }),
    () => ({
      method: 'POST',
      path: `/connections/${name()}/${random.pick(['subscribe', 'unsubscribe', 'x'])}`,
      body: channels(),
    }),
    () => ({
      method: 'GET',
      path: `/channels/${name()}/history${query(random, token, ['limit', 'since', 'reverse'])}`,
    }),
    () => ({ method: 'DELETE', path: `/channels/${name()}/history` }),
    () => ({ method: 'GET', path: `/channels/${name()}/members` }),
    () => ({ method: 'POST', path: '/tokens/revoke', body: revoked() }),
    () => ({
      method: 'PUT',
      path: `/subscriptions/${random.once(4) ? name() : token}`,
      body: callbackDocument(random, token, url),
    }),
    () => ({
      method: random.pick(['GET', 'GET', 'DELETE']),
      path: `/subscriptions/${random.once(3) ? name() : token}`,
    }),
    () => ({
      method: 'GET',
      path: random.pick(['/subscriptions', '/routes', '/config', '/nodes', '/drain', '/subscriptions?x=1']),
    }),
    () => ({
      method: 'POST',
      path: `/publish/${name()}${query(random, token, ['content', 'reach', 'type', 'id'])}`,
      body: oddText(random),
    }),
    () => ({
      method: 'POST',
      path: `/publish/?reach=${random.pick(['1', '0', 'x'])}`,
      body: `{"items":[{"channel":${json(token)},"formats":${formats(random)}}]}`,
    }),
  );
}

function bytesOf(random: Random, { method, path, body }: Call): Buffer {
  const whole = Buffer.from(body ?? '');
  const content = random.once(10) ? mutatedBytes(random, whole) : whole;
  const wait = random.once(8)
    ? [
        `Prefer: ${random.pick(['wait=50', 'wait=0', 'wait=-1', 'wait=1e9', 'wait', 'wait="5"', 'respond-async, wait=1'])}`,
      ]
    : [];
  const accept = random.once(3)
    ? [`Accept: ${random.pick(['application/json', 'text/plain', '*/*', 'image/png', ''])}`]
    : [];
  const length = body === undefined ? [] : [`Content-Length: ${content.length}`];
  // What stands in a path is one character for each byte.
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    ...wait,
    ...accept,
    ...length,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), content]);
}

const hold = (token: string) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\nGrip-Hold: stream\r\nGrip-Channel: ${token}\r\nGrip-Set-Meta: user=${token}\r\nContent-Length: 4\r\n\r\nopen`,
  );

async function play(fixture: Fixture, token: string, hook: string, requests: readonly Buffer[]): Promise<string[]> {
  const { node, origin } = fixture;
  origin.plan(token, {
    answer: ({ method, target }) => {
      if (method === 'GET' && !target.includes('hub.')) return [hold(token)];
      const challenge = /hub\.challenge=([^&]*)/.exec(target)?.[1];
      const ok = `HTTP/1.1 200 OK\r\nContent-Length: ${challenge?.length ?? 0}\r\n\r\n${challenge ?? ''}`;
      return [Buffer.from(challenge === undefined ? hook : ok, 'latin1')];
    },
  });
  const get = Buffer.from(`GET ${tokenPath('/h/', token)} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
  const client = converse(node.port('clients'), [get], { limit: 3_000, quiet: 500 });
  await new Promise((resolve) => setTimeout(resolve, 40));
  const complaints: string[] = [];
  for (const request of requests) {
    const { bytes, ended, timedOut } = await converse(node.port('control'), [request], { limit: 15_000 });
    const { answers, fault } = readAnswers(bytes, ended === 'fin');
    if (fault !== undefined) complaints.push(`the control port answers with ${fault}`);
    if (answers.length !== 1) complaints.push(`${answers.length} answers of the control port to one request`);
    if (answers.some(({ status }) => status === 500 || status > 503))
      complaints.push(`the control port answers ${answers[0]?.status}`);
    if (timedOut) complaints.push('a request to the control port did not end');
  }
  await endCallbacks(fixture, [token]);
  const heard = await client;
  return [...complaints, ...checkOneAnswer(heard.bytes, heard.ended === 'fin', 'GET')];
}

/** Ends callbacks of these ids, and those of odd ones: no case leaves any. */
export async function endCallbacks({ node }: Fixture, ids: readonly string[]): Promise<void> {
  const url = `http://127.0.0.1:${node.port('control')}/subscriptions`;
  const close = { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) };
  const listed = (await (await fetch(url, close)).json()) as { subscriptions?: readonly { id: string }[] };
  const odd = (listed.subscriptions ?? []).map(({ id }) => id).filter((id) => !/^[a-z]+-\d+$/.test(id));
  for (const id of [...ids, ...odd]) await fetch(`${url}/${encodeURIComponent(id)}`, { method: 'DELETE', ...close });
}

function make(random: Random, token: string): Case {
  // The port of the origin is known only when it is played.
  const PORT = 'PORT-OF-ORIGIN';
  const calls = random.list(2, 6, () =>
    bytesOf(random, call(random, token, `http://127.0.0.1:1/h/t-${token}?${PORT}`)),
  );
  const hook = random.once(3) ? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' : hostileAnswer(random);
  return {
    text: calls.map(describeBytes).join(' and '),
    play: (fixture) =>
      play(
        fixture,
        token,
        hook,
        calls.map((bytes) => withOrigin(bytes, token, fixture.origin.target)),
      ),
  };
}

/** The same bytes with the origin's address for the place that stands for it; its length is that of `Content-Length` anew. */
function withOrigin(bytes: Buffer, token: string, target: string): Buffer {
  const text = bytes.toString('latin1');
  const from = `http://127.0.0.1:1/h/t-${token}?PORT-OF-ORIGIN`;
  if (!text.includes(from)) return bytes;
  const [head = '', ...rest] = text.replaceAll(from, `http://${target}/h/t-${token}`).split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  return Buffer.from(
    `${head.replace(/Content-Length: \d+/, `Content-Length: ${body.length}`)}\r\n\r\n${body}`,
    'latin1',
  );
}

/** The control API beside publishes. */
export const controlCalls: Kind = { name: 'control-calls', together: 12, make };
