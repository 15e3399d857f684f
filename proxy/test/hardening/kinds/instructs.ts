/** Instructs in both forms with odd values in every field, and what is published to the holds that they may open. */
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { filters, mutatedObject, oddJson, oddNames, oddNumbers, oddText, oddValue, STRAY_LINKS } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeSteps, type Step } from '../steps.js';
import { endCallbacks } from './control-calls.js';
import { checkOneAnswer, hostileAnswer, hostileSteps } from './origin-answers.js';

const json = JSON.stringify;
const wire = (text: string) =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[\r\n\0]/g, '.');

function channelOf(random: Random, token: string): string {
  const name = random.once(3) ? wire(random.pick(oddNames)) : token;
  const params = random.list(0, 2, () =>
    random.one(
      () => `prev-id=${random.pick(['', 'a', token, '"q;,"', ...oddNumbers])}`,
      () => `filter=${random.pick(filters)}`,
      () => oddValue(random),
    ),
  );
  return [name, ...params].join('; ');
}

function linkOf(random: Random, token: string): string {
  const target = random.pick([
    tokenPath('/f/', token, '-next'),
    ...STRAY_LINKS,
    '',
    'http://127.0.0.1:1/',
    '//127.0.0.1:1/',
    'http://[',
    '?',
    '#',
    'file:///etc/passwd',
    'javascript:1',
  ]);
  return `<${target}>; rel=${random.pick(['next', 'gone', '"next"', 'other', ''])}${random.once(2) ? `; timeout=${random.pick(oddNumbers)}` : ''}`;
}

/** A callback that no server answers, or its end, or nearly. */
function callbackOf(random: Random, token: string): string {
  const secret = `whsec_${Buffer.alloc(random.pick([24, 24, 8, 65])).toString('base64')}`;
  const id = random.once(6) ? wire(random.pick(oddNames)) : token;
  if (random.once(4)) return random.pick([`cancel; id=${id}`, 'cancel', `cancel; id="${id}"; x`]);
  const url = random.pick([
    'http://127.0.0.1:1/hook',
    'http://127.0.0.1:1/hook',
    '',
    'x',
    'https://',
    'http://[::',
    ...STRAY_LINKS,
  ]);
  const params = [`id=${id}`, `secret=${secret}`, `ttl=${random.once(2) ? '60' : random.pick(oddNumbers)}`];
  return [`<${url}>`, ...params.filter(() => !random.once(6)), ...(random.once(6) ? [oddValue(random)] : [])].join(
    '; ',
  );
}

/** Header fields of an instruct. */
export function gripFields(random: Random, token: string): string[] {
  const makers: readonly (() => string)[] = [
    () => `Grip-Hold: ${random.once(6) ? oddValue(random) : random.pick(['response', 'stream'])}`,
    () => `Grip-Channel: ${random.list(1, random.pick([1, 2, 30]), () => channelOf(random, token)).join(', ')}`,
    () => `Grip-Timeout: ${random.pick(oddNumbers)}`,
    () => `Grip-Expires: ${random.pick([...oddNumbers, '1', 'Sun, 06 Nov 1994 08:49:37 GMT', oddValue(random)])}`,
    () =>
      `Grip-Keep-Alive: ${random.pick(['\\n; format=cstring; timeout=1', 'x; format=base64', 'eA==; format=base64; timeout=1; mode=interval', '\\; format=cstring', '; timeout=0', oddValue(random)])}`,
    () => `Grip-Expose-Headers: ${random.pick(['X-A', '', ',', '*', oddValue(random)])}`,
    () =>
      `Grip-Set-Meta: ${random.pick(['a=b', '=', 'user', '__proto__=x', `a="${'m'.repeat(random.size(20_000))}"`, oddValue(random)])}`,
    () => `Grip-Link: ${linkOf(random, token)}`,
    () =>
      `Grip-Status: ${random.pick(['200', '201 Made', '100', '99', '999', '1000', `200 ${oddValue(random)}`, '200 \xc4\x8d\xc4\x8aSet-Split: 1', oddValue(random)])}`,
    () => `Grip-Callback: ${callbackOf(random, token)}`,
    () => `Grip-Resume-Token: ${random.pick([...oddNumbers, '60', oddValue(random)])}`,
    () => `Grip-Position: ${random.pick(['request', '', oddValue(random)])}`,
    () => `Grip-Foo: ${oddValue(random)}`,
  ];
  const chosen = random.list(1, 4, () => random.pick(makers)());
  const first = random.once(6)
    ? []
    : [`Grip-Hold: ${random.pick(['response', 'stream'])}`, `Grip-Channel: ${channelOf(random, token)}`];
  return [...first, ...chosen];
}

function document(random: Random, token: string): string {
  const channel = () =>
    mutatedObject(random, [
      ['name', json(random.once(4) ? oddText(random) : token)],
      ['prev-id', json(oddText(random))],
      ['filters', json(random.list(0, 7, () => random.pick(filters)))],
    ]);
  const hold = mutatedObject(random, [
    ['mode', json(random.pick(['response', 'stream']))],
    ['channels', `[${random.list(0, 3, channel).join(',')}]`],
    ['timeout', random.pick(['1', '0', '-1', '1e9', '1e99', '"5"', '2147483648'])],
    ['meta', mutatedObject(random, [['user', json(oddText(random))]])],
    [
      'keep-alive',
      mutatedObject(random, [
        ['content', json(oddText(random))],
        ['timeout', random.pick(['1', '0', '1e99'])],
        ['mode', '"interval"'],
      ]),
    ],
  ]);
  const response = mutatedObject(random, [
    ['code', random.pick(['200', '0', '100', '101', '999', '1000', '-1', '1e3', '200.5'])],
    ['reason', json(oddText(random))],
    [
      'headers',
      random.one(
        () => mutatedObject(random, [['X-A', json(oddText(random))]]),
        () =>
          json([
            ['X-A', oddText(random)],
            [oddText(random), 'b'],
          ]),
      ),
    ],
    ['body', json(oddText(random))],
  ]);
  const callback = mutatedObject(random, [
    ['id', json(random.once(6) ? oddText(random) : token)],
    ['url', json(random.once(3) ? oddText(random) : 'http://127.0.0.1:1/hook')],
    ['secret', json(`whsec_${Buffer.alloc(24).toString('base64')}`)],
    ['channels', `[${random.list(0, 3, channel).join(',')}]`],
    ['ttl', random.pick(['60', '0', '1e99', '"60"'])],
    ...(random.once(4) ? [['cancel', random.pick(['true', 'false', '1'])] as const] : []),
  ]);
  return mutatedObject(random, [random.once(4) ? ['callback', callback] : ['hold', hold], ['response', response]]);
}

/** Items that a hold of the case may get. */
function itemFor(random: Random, token: string): string {
  return mutatedObject(random, [
    ['channel', json(token)],
    ['id', json(random.pick(['a', '', 'b', oddText(random)]))],
    [
      'formats',
      mutatedObject(random, [
        [
          'http-response',
          mutatedObject(random, [
            ['code', random.pick(['200', '999', '204', '304'])],
            ['reason', json(oddText(random))],
            ['headers', mutatedObject(random, [['X-B', json(oddText(random))]])],
            ['body', json(oddText(random))],
          ]),
        ],
        ['http-stream', mutatedObject(random, [['content', json(oddText(random))]])],
      ]),
    ],
  ]);
}

async function play(
  fixture: Fixture,
  token: string,
  path: string,
  steps: readonly Step[],
  items: readonly string[],
): Promise<string[]> {
  fixture.origin.plan(token, {
    answer: (_, index) => (index < 8 ? steps : [Buffer.from('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n')]),
  });
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
  const talk = converse(fixture.node.port('clients'), [request], { limit: 4_000, quiet: 300 });
  const complaints: string[] = [];
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { status } = await fixture.node.post('/publish/', `{"items":[${item}]}`);
    if (status !== 200 && status !== 400 && status !== 413) complaints.push(`a publish was answered ${status}`);
  }
  // An item that closes all that the case may still hold.
  await fixture.node.post(
    '/publish/',
    json({
      items: [
        {
          channel: token,
          'no-seq': true,
          formats: { 'http-response': { action: 'close' }, 'http-stream': { action: 'close' } },
        },
      ],
    }),
  );
  const heard = await talk;
  await endCallbacks(fixture, [token]);
  return [...complaints, ...checkOneAnswer(heard.bytes, heard.ended === 'fin', 'GET')];
}

function make(random: Random, token: string): Case {
  const path = tokenPath(random.pick(['/f/', '/f/', '/h/', '/a/']), token);
  const inJson = random.once(3);
  const answer = inJson
    ? hostileAnswer(
        random,
        ['Content-Type: application/grip-instruct', ...(random.once(3) ? gripFields(random, token) : [])],
        Buffer.from(document(random, token)).toString('latin1'),
      )
    : hostileAnswer(random, gripFields(random, token));
  const steps = random.once(6)
    ? hostileSteps(random, answer)
    : [Buffer.from(answer.replace(/^[^\r]*/, random.once(4) ? '$&' : 'HTTP/1.1 200 OK'), 'latin1')];
  const items = random.list(0, 3, () => (random.once(6) ? oddJson(random) : itemFor(random, token)));
  return {
    text: `${path} answered with ${describeSteps(steps)}, then ${items.join('; ').slice(0, 3_000)}`,
    play: (fixture) => play(fixture, token, path, steps, items),
  };
}

/** Instructs of origins. */
export const instructs: Kind = { name: 'instructs', together: 16, make };
