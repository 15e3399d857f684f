/**
 * What goes out as a head is one head: a reason phrase or a status that an origin or a publisher gives cannot end the process,
 * leave a client without an answer, or become a second answer. What is legal arrives byte for byte.
 */
import t, { type Test } from 'tap';
import { exchange, requestBytes, UPGRADE } from '../../kit/clients/raw-request.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { answerOf, pathFor, startBytesOrigin } from '../../kit/origins/bytes-origin.js';

const bytesOf = (text: string) => Buffer.from(text).toString('latin1');

/** Reasons as an origin sends them, in bytes, and what its clients get. */
const REASONS: readonly (readonly [what: string, sent: string, received: string])[] = [
  ['a usual one', 'Found it', 'Found it'],
  ['none', '', ''],
  ['Latin-1', 'Trouv\u00e9', 'Trouv\u00e9'],
  ['UTF-8', bytesOf('Trouvé'), bytesOf('Trouvé')],
  ['every byte of obs-text', bytesOf('\u010d\u010aSet-Cookie: a=b'), bytesOf('\u010d\u010aSet-Cookie: a=b')],
  ['bytes that are no UTF-8', '\u0080\u00ff\u00c4', '\u0080\u00ff\u00c4'],
  ['a tab and a colon', 'a\tb: c', 'a\tb: c'],
  ['1,024 bytes', 'x'.repeat(1_024), 'x'.repeat(1_024)],
  ['more', 'x'.repeat(1_025), 'OK'],
  ['much more', 'x'.repeat(30_000), 'OK'],
  ['a control character', 'a\u0001b', 'OK'],
  ['an escape', '\u001b[31mred', 'OK'],
  ['NUL', 'a\0b', 'OK'],
  ['DEL', 'a\u007f', 'OK'],
];

/** What an origin may write for a status and must not. */
const STATUSES = [
  '000',
  '001',
  '042',
  '099',
  '101',
  '1',
  '20',
  '2000',
  '99999999999',
  '-20',
  '+20',
  '2 0',
  '20x',
  '0x1',
  '',
];

const CLOSE: readonly string[] = ['Connection: close'];

/** First line, fields and body of the only answer in `received`; throws where there are more. */
function only(received: string): { line: string; fields: string; body: string } {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  if (received.split('HTTP/1.1 ').length !== 2) throw new Error(`not one answer: ${JSON.stringify(received)}`);
  if (fields.some((field) => !/^[\w-]+: /.test(field))) throw new Error(`odd fields: ${JSON.stringify(received)}`);
  return { line, fields: fields.join('\n'), body: rest.join('\r\n\r\n') };
}

const ODD_REFUSAL = pathFor(answerOf('403 a\u0001\u001b[31m'));
const NO_REFUSAL = pathFor(answerOf('042 What'));

async function fixture(t: Test, edge: string): Promise<Holdfast> {
  const target = await startBytesOrigin(t);
  return startHoldfast(t, {
    settings: { edge },
    routes: [
      `plain.example ${target}`,
      `over.example ${target},over_http`,
      `aco.example,aco ${target}`,
      `odd.example,sockjs=/sock,sockjs_as_path=${ODD_REFUSAL} ${target}`,
      `none.example,sockjs=/sock,sockjs_as_path=${NO_REFUSAL} ${target},over_http`,
    ],
  });
}

const ask = (t: Test, holdfast: Holdfast, path: string, host = 'plain', fields = CLOSE, method = 'GET') =>
  exchange(t, holdfast.clients, requestBytes(path, `${host}.example`, fields, method));

for (const edge of ['node', 'uws'] as const) {
  // One node for all that it has to survive, but for the test that ends it.
  const holdfast = await fixture(t, edge);

  t.test(`${edge}: reasons of origins`, async (t) => {
    for (const [what, sent, received] of REASONS) {
      const path = pathFor(answerOf(`200 ${sent}`));
      for (const host of ['plain', 'aco']) {
        const { line, body } = only(await ask(t, holdfast, path, host));
        t.equal(line, `HTTP/1.1 200 ${received}`, `${what}, relayed by ${host}`);
        t.match(body, 'told');
      }
      const { line: head } = only(await ask(t, holdfast, path, 'plain', CLOSE, 'HEAD'));
      t.equal(head, `HTTP/1.1 200 ${received}`, `${what}, to HEAD`);
      const { line: none } = only(await ask(t, holdfast, pathFor(`HTTP/1.1 304 ${sent}\r\nETag: "\u00e9"\r\n\r\n`)));
      t.equal(none, `HTTP/1.1 304 ${received === sent ? received : 'Not Modified'}`, `${what}, without a body`);
      const refused = pathFor(answerOf(`403 ${sent}`));
      const forbidden = `HTTP/1.1 403 ${received === sent ? received : 'Forbidden'}`;
      for (const host of ['plain', 'over']) {
        const { line, body } = only(await ask(t, holdfast, refused, host, UPGRADE));
        t.equal(line, forbidden, `${what}, in the refusal of a WebSocket by ${host}`);
        t.match(body, 'told');
      }
    }
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: a reason that comes in parts`, async (t) => {
    const rest = `${bytesOf('é')} ici\r\nContent-Length: 0\r\n\r\n`;
    const path = pathFor(['HTTP/1.1 200 Tr', 'ouv', ...rest.slice(0, 2), rest.slice(2)]);
    t.equal(only(await ask(t, holdfast, path)).line, `HTTP/1.1 200 ${bytesOf('Trouvé')} ici`);
    const interim = pathFor(['HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n', answerOf('200 Late')]);
    t.match(await ask(t, holdfast, interim), /^HTTP\/1\.1 103 Early\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 Late\r\n/);
  });

  t.test(`${edge}: fields of origins, and interim answers`, async (t) => {
    for (const field of [
      'X-A: a\u0001',
      'X-A: a\u000b',
      'X-A: a\u007f',
      'X-A: a\0',
      'X\u0080: a',
      'X A: a',
      ': a',
      'X-A',
    ]) {
      const paths = [
        answerOf('200 OK', [field]),
        answerOf('200 OK', ['Grip-Hold: stream', 'Grip-Channel: c', field]),
        answerOf('200 OK', ['Grip-Hold: response', 'Grip-Channel: c', field]),
        answerOf('403 No', [field]),
        `HTTP/1.1 103 Early Hints\r\n${field}\r\n\r\n${answerOf('200 OK')}`,
      ].map(pathFor);
      for (const path of paths) {
        const { line } = only(await ask(t, holdfast, path));
        t.equal(line, 'HTTP/1.1 502 Bad Gateway', JSON.stringify(field));
        for (const host of ['plain', 'over']) {
          const { line } = only(await ask(t, holdfast, path, host, UPGRADE));
          t.equal(line, 'HTTP/1.1 502 Bad Gateway', `${JSON.stringify(field)} for a WebSocket by ${host}`);
        }
      }
    }
    for (const [what, sent, received] of REASONS) {
      const path = pathFor(`HTTP/1.1 103 ${sent}\r\nX-A: \u00e9\r\n\r\n${answerOf('200 Then')}`);
      const interim = `HTTP/1.1 103 ${received === sent ? received : 'Early Hints'}\r\n`;
      const [first = '', second = '', ...more] = (await ask(t, holdfast, path)).split(/^(?=HTTP\/1\.1 )/m);
      t.strictSame([first.split(/(?<=\r\n)/), more.length], [[interim, 'X-A: \u00e9\r\n', '\r\n'], 0], what);
      t.match(second, /^HTTP\/1\.1 200 Then\r\n/);
    }
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: SockJS clients of origins that refuse`, async (t) => {
    for (const [host, line] of [
      ['odd', 'HTTP/1.1 403 Forbidden'],
      ['none', 'HTTP/1.1 502 Bad Gateway'],
    ] as const) {
      for (const [target, fields, method] of [
        ['/sock/a/b/websocket', UPGRADE, 'GET'],
        ['/sock/websocket', UPGRADE, 'GET'],
        ['/sock/a/b/xhr', [...CLOSE, 'Content-Length: 0'], 'POST'],
        ['/sock/a/b/eventsource', CLOSE, 'GET'],
      ] as const) {
        t.equal(only(await ask(t, holdfast, target, host, fields, method)).line, line, `${host} ${target}`);
      }
    }
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: statuses of origins`, async (t) => {
    for (const status of STATUSES) {
      const path = pathFor(answerOf(`${status} What`));
      for (const [host, fields] of [
        ['plain', CLOSE],
        ['aco', CLOSE],
        ['plain', UPGRADE],
        ['over', UPGRADE],
      ] as const) {
        const { line, body } = only(await ask(t, holdfast, path, host, fields));
        t.equal(
          line,
          'HTTP/1.1 502 Bad Gateway',
          `${JSON.stringify(status)} from ${host} by ${fields === CLOSE ? 'GET' : 'WebSocket'}`,
        );
        t.match(body, 'Error while proxying to origin.');
      }
    }
    t.match(await ask(t, holdfast, pathFor(answerOf('999 Last'))), /^HTTP\/1\.1 999 Last\r\n/);
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: reasons and statuses of instructs`, async (t) => {
    const document = (response: object) =>
      pathFor(answerOf('200 OK', ['Content-Type: application/grip-instruct'], bytesOf(JSON.stringify({ response }))));
    for (const reason of ['Trouvé', '\u010d\u010aSet-Cookie: a=b', '日本']) {
      const { line } = only(await ask(t, holdfast, document({ reason, body: '' })));
      t.equal(line, `HTTP/1.1 200 ${bytesOf(reason)}`);
    }
    for (const response of [
      ...['a\r\nb', 'a\0', '\u0001', '\u007f', 'x'.repeat(1_025)].map((reason) => ({ reason })),
      ...[0, 42, 100, 101, 199, 1_000, -200, 200.5, '2 00'].map((code) => ({ code })),
      { headers: { 'a b': 'x' } },
      { headers: { a: 'x\r\ny' } },
    ]) {
      const { line } = only(await ask(t, holdfast, document({ body: '', ...response })));
      t.equal(line, 'HTTP/1.1 502 Bad Gateway', JSON.stringify(response));
    }
    for (const status of ['042', '101', '1000', 'x', '200 \u00e9', `200 ${'x'.repeat(2_000)}`]) {
      const { line } = only(await ask(t, holdfast, pathFor(answerOf('200 OK', [`Grip-Status: ${status}`]))));
      t.equal(line, status === '200 \u00e9' ? 'HTTP/1.1 200 \u00e9' : 'HTTP/1.1 502 Bad Gateway', status.slice(0, 20));
    }
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: reasons of holds that are drained, and of streams`, async (t) => {
    const holdfast = await fixture(t, edge);
    const holding = (mode: string, sent: string) =>
      pathFor(answerOf(`200 ${sent}`, [`Grip-Hold: ${mode}`, `Grip-Channel: ${mode}`]));
    const all = REASONS.flatMap(([what, sent, received]) => {
      const inJson = { code: 201, reason: Buffer.from(received, 'latin1').toString(), body: 'json\n' };
      const json = bytesOf(JSON.stringify({ hold: { mode: 'response', channels: [{ name: 'c' }] }, response: inJson }));
      const form = pathFor(answerOf('200 OK', ['Content-Type: application/grip-instruct'], json));
      return [
        {
          what: `${what}, polled`,
          line: `HTTP/1.1 200 ${received || 'OK'}`,
          got: ask(t, holdfast, holding('response', sent)),
        },
        {
          what: `${what}, streamed`,
          line: `HTTP/1.1 200 ${received || 'OK'}`,
          got: ask(t, holdfast, holding('stream', sent)),
        },
        {
          what: `${what}, polled by JSON`,
          line: `HTTP/1.1 201 ${bytesOf(inJson.reason) || 'Created'}`,
          got: ask(t, holdfast, form),
        },
      ];
    });
    await holdfast.holds('response', 2 * REASONS.length);
    await holdfast.holds('stream', REASONS.length);
    holdfast.child.signal('SIGTERM');
    for (const { what, line, got } of all) t.equal(only(await got).line, line, what);
    t.strictSame(await holdfast.child.exited, { code: 0, signal: null });
  });

  t.test(`${edge}: reasons and fields of items`, async (t) => {
    const hold = pathFor(answerOf('200 OK', ['Grip-Hold: response', 'Grip-Channel: c']));
    const item = (parts: object) => ({ channel: 'c', formats: { 'http-response': { body: 'item\n', ...parts } } });
    for (const [parts, why] of [
      [{ reason: 'a\r\nSet-Cookie: a=b' }, /'reason' with a control character/],
      [{ reason: 'a\u007f' }, /'reason' with a control character/],
      [{ reason: 'é'.repeat(513) }, /'reason' with more than 1024 bytes/],
      [{ code: 42 }, /'code' with invalid value/],
      [{ code: 101 }, /'code' with invalid value/],
      [{ code: 1_000 }, /'code' with invalid value/],
      [{ headers: [['a\r\n', 'b']] }, /is not a token/],
      [{ headers: [['a', 'b\nc']] }, /contains a control character/],
    ] as const) {
      await t.rejects(holdfast.publish(item(parts)), { message: why });
    }
    for (const reason of ['Trouvé', '\u010d\u010aSet-Cookie: a=b', '日本', 'é'.repeat(512)]) {
      const got = ask(t, holdfast, hold);
      await holdfast.holds('response', 1);
      await holdfast.publish(item({ reason, headers: [['X-A', '\u010d\u010aX-Evil: 1']] }));
      const { line, fields } = only(await got);
      t.equal(line, `HTTP/1.1 200 ${bytesOf(reason)}`);
      t.match(fields, bytesOf('X-A: \u010d\u010aX-Evil: 1'));
    }
    t.ok(holdfast.child.running);
  });
}
