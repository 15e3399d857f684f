/** Clauses of the `Edge` contract: how answers are put on the wire. */
import type { RawAnswer } from '../../kit/clients/raw-answer.js';
import { head } from '../../kit/clients/raw-client.js';
import type { Clause } from '../clause.js';

/** Whether a Date is added is for a clause of its own. */
function withoutDate({ fields }: RawAnswer): string[] {
  return fields.filter((_, i) => fields[i - (i % 2)] !== 'Date');
}

const framingClauses: readonly Clause[] = [
  {
    name: 'answer-length',
    says: 'an answer of known length declares it and is not chunked',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(10);
      taken.response.write(Buffer.from('01234'));
      taken.response.end(Buffer.from('56789'));
      const answer = await client.answer();
      t.equal(answer.body.toString(), '0123456789');
      t.strictSame([answer.header('content-length'), answer.header('transfer-encoding')], ['10', undefined]);
      t.equal(taken.response.bodyBytes, 10);
    },
  },
  {
    name: 'answer-chunked',
    says: 'an answer of unknown length is chunked',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start();
      taken.response.write(Buffer.from('abc'));
      taken.response.end(Buffer.from('de'));
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['abcde', true]);
      t.strictSame([answer.header('content-length'), answer.header('transfer-encoding')], [undefined, 'chunked']);
    },
  },
  {
    name: 'answer-trailers',
    says: 'trailers go behind a chunked body to a client that says TE: trailers, and to no other (RFC 9110 §6.5)',
    run: async (t, fixture) => {
      for (const [fields, takes] of [
        [['TE: gzip, trailers'], true],
        [['TE: gzip'], false],
      ] as const) {
        const { client, taken } = await fixture.send(head('GET', '/', fields));
        t.equal(taken.request.takesTrailers, takes);
        taken.response.writeHead({ status: 200, reason: 'OK', headers: ['Trailer', 'X-Sum, Host'] }, undefined);
        taken.response.write(Buffer.from('abc'));
        taken.response.end(undefined, ['X-Sum', '1', 'Host', 'x', 'Grip-Hold', 'stream']);
        const end = takes ? '0\r\nX-Sum: 1\r\n\r\n' : '0\r\n\r\n';
        await client.receives(`\r\n\r\n3\r\nabc\r\n${end}`);
        t.equal(/^Trailer: X-Sum\r$/m.test(client.received.toString()), takes);
      }
    },
  },
  {
    name: 'answer-empty',
    says: 'an empty answer of known length says so',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(0);
      taken.response.end();
      t.equal((await client.answer()).header('content-length'), '0');
    },
  },
  {
    name: 'answer-head',
    says: 'HEAD is answered with the declared length and no body',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('HEAD', '/'));
      taken.start(1234);
      taken.response.end();
      t.equal((await client.answer('HEAD')).header('content-length'), '1234');
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('next');
      t.equal((await client.answer()).body.toString(), 'next');
    },
  },
  {
    name: 'answer-bodiless-statuses',
    says: '204 and 304 have no body and no framing that promises one (RFC 9110 §8.6, RFC 9112 §6.1)',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      for (const [status, length, shown] of [
        [204, undefined, undefined],
        [204, 0, undefined],
        [304, 77, '77'],
        [304, undefined, undefined],
      ] as const) {
        void client.write(head('GET', '/'));
        const { response } = await fixture.next();
        response.writeHead({ status, reason: 'X', headers: [] }, length);
        response.end();
        const answer = await client.answer();
        const framing = [answer.status, answer.header('content-length'), answer.header('transfer-encoding')];
        t.strictSame(framing, [status, shown, undefined]);
      }
    },
  },
  {
    name: 'answer-1.0-close',
    says: 'an answer of unknown length to HTTP/1.0 ends with the connection',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', ['Connection: keep-alive'], '1.0'));
      taken.start();
      taken.response.write(Buffer.from('abc'));
      taken.response.end(Buffer.from('de'));
      const answer = await client.answer();
      t.equal(answer.body.toString(), 'abcde');
      t.strictSame([answer.header('connection'), answer.header('transfer-encoding')], ['close', undefined]);
      t.equal(await client.closed(), 'fin');
    },
  },
  {
    name: 'answer-1.0-keep-alive',
    says: 'an HTTP/1.0 client that asks for keep-alive gets it with a known length, others are closed',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', ['Connection: keep-alive'], '1.0'));
      taken.answer('first');
      const first = await client.answer();
      t.strictSame([first.body.toString(), first.header('connection')], ['first', 'keep-alive']);
      void client.write(head('GET', '/', [], '1.0'));
      (await fixture.next()).answer('second');
      t.equal((await client.answer()).body.toString(), 'second');
      t.equal(await client.closed(), 'fin');
    },
  },
];

const headClauses: readonly Clause[] = [
  {
    name: 'answer-verbatim',
    says: 'status, reason and header fields go out as given, nothing added between them',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      const headers = ['X-b', '1', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'X-B', '2', 'Server', 'origin'];
      taken.response.writeHead({ status: 299, reason: 'Very Fine', headers }, 0);
      taken.response.end();
      const answer = await client.answer();
      t.strictSame([answer.version, answer.status, answer.reason], ['1.1', 299, 'Very Fine']);
      t.strictSame(answer.fields.slice(0, headers.length), headers);
    },
  },
  {
    name: 'answer-no-date',
    says: 'no Date is added, and one that is given goes out once',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      for (const dates of [[], ['Sat, 01 Jan 2000 00:00:00 GMT']]) {
        void client.write(head('GET', '/'));
        (await fixture.next()).answer(
          '',
          dates.flatMap((date) => ['date', date]),
        );
        const { fields } = await client.answer();
        t.strictSame(
          fields.filter((_, i) => fields[i - 1]?.toLowerCase() === 'date'),
          dates,
        );
      }
    },
  },
  {
    name: 'answer-hop-fields',
    says: 'fields of the hop and of the framing never get out: the edge frames by itself (RFC 9110 §7.6.1)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.answer('five!', [
        ...[
          'Connection',
          'close, hop-named',
          'Hop-Named',
          '1',
          'Keep-Alive',
          'timeout=1',
          'Proxy-Connection',
          'close',
          'transfer-encoding',
          'gzip',
        ],
        ...['CONTENT-LENGTH', '99', 'Trailer', 'X-T', 'Upgrade', 'h2c', 'X-Kept', 'yes'],
      ]);
      const answer = await client.answer();
      t.strictSame(withoutDate(answer), ['X-Kept', 'yes', 'Content-Length', '5']);
      t.equal(answer.body.toString(), 'five!');
    },
  },
  {
    name: 'answer-bytes',
    says: 'bytes above 127 in a reason and in values go out one for one, with a body, without one, and before it comes',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      const bytes = '\u0080\u00c4\u008d\u00c4\u008a\u00e9\u00ff';
      const given = { status: 200, reason: `Trouv\u00e9 ${bytes}`, headers: ['X-Bytes', `a${bytes}b`] };
      for (const way of ['whole', 'chunks', 'flushed', 'HEAD', 'HEAD, slowly', '304, slowly'] as const) {
        const method = way.startsWith('HEAD') ? 'HEAD' : 'GET';
        void client.write(head(method, '/'));
        const { response } = await fixture.next();
        const status = way.startsWith('304') ? 304 : 200;
        response.writeHead(
          { ...given, status },
          way === 'chunks' || way === 'flushed' ? undefined : 2,
          way === 'flushed',
        );
        if (way !== 'whole') await new Promise(setImmediate);
        response.end(Buffer.from('ok'));
        const { reason, fields } = await client.answer(method);
        t.strictSame([reason, fields.slice(0, 2)], [given.reason, given.headers], way);
      }
    },
  },
  {
    name: 'answer-injection',
    says: 'a head that HTTP cannot carry throws, with nothing written, and another head may follow',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      for (const bad of [
        { reason: 'OK', headers: ['X-A', 'a\r\nX-Evil: 1'] },
        { reason: 'OK', headers: ['X-A', 'a\nb'] },
        { reason: 'OK', headers: ['X-A', 'a\0b'] },
        { reason: 'OK', headers: ['X-A', 'a\u0001b'] },
        // Their low bytes are CR and LF.
        { reason: 'OK', headers: ['X-A', 'a\u010d\u010aX-Evil: 1'] },
        { reason: 'OK', headers: ['X-A\r\nX-Evil', 'a'] },
        { reason: 'OK', headers: ['X\u010d\u010aA', 'a'] },
        { reason: 'OK', headers: ['', 'a'] },
        { reason: 'OK\r\nX-Evil: 1', headers: [] },
        { reason: 'OK\u010d\u010aX-Evil: 1', headers: [] },
        { reason: '\u0000', headers: [] },
        { reason: '\u007f', headers: [] },
        { reason: '\ufffd', headers: [] },
        ...[0, 42, 99, 100, 101, 103, 199, 1_000, -200, 200.5, Number.NaN].map((status) => ({ status, headers: [] })),
      ]) {
        void client.write(head('GET', '/'));
        const { response } = await fixture.next();
        const code = { code: 'ERR_EDGE_HEAD' };
        t.throws(() => response.writeHead({ status: 200, reason: '', ...bad }, 2), code, JSON.stringify(bad));
        response.writeHead({ status: 502, reason: 'Bad Gateway', headers: ['X-Good', '1'] }, 3);
        response.end(Buffer.from('bad'));
        const answer = await client.answer();
        t.equal(answer.status, 502);
        t.strictSame(withoutDate(answer), ['X-Good', '1', 'Content-Length', '3']);
      }
    },
  },
  {
    name: 'answer-early-head',
    says: 'a head that is flushed reaches the client before there is a body',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(undefined, true);
      await client.receives('\r\n\r\n');
      taken.response.end();
      t.equal((await client.answer()).status, 200);
    },
  },
];

const informationClauses: readonly Clause[] = [
  {
    name: 'information',
    says: 'interim answers go out before the final one (RFC 9110 §15.2)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.response.writeInformation({
        status: 103,
        reason: 'Early Hints',
        headers: ['Link', '</a>', 'LINK', '</b>'],
      });
      const hints = await client.answer();
      t.strictSame([hints.status, hints.reason, hints.fields], [103, 'Early Hints', ['Link', '</a>', 'LINK', '</b>']]);
      taken.answer('done');
      t.equal((await client.answer()).body.toString(), 'done');
    },
  },
  {
    name: 'information-clean',
    says: 'interim answers carry no fields of the hop, and none that would break the framing',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      const { response } = taken;
      const hop = ['Content-Length', '5', 'Connection', 'close', 'Link', '</a>'];
      response.writeInformation({ status: 103, reason: 'Early Hints', headers: hop });
      for (const headers of [
        ['Link', 'a\r\nX-Evil: 1'],
        ['Li\nnk', 'a'],
      ]) {
        t.throws(() => response.writeInformation({ status: 103, reason: 'Early Hints', headers }));
      }
      for (const bad of [
        { reason: 'a\r\n\r\nHTTP/1.1 200 OK' },
        { reason: 'a\u010d\u010a\u010d\u010aHTTP/1.1 200 OK' },
        ...[0, 42, 101, 200, 204, 1_000].map((status) => ({ status })),
      ]) {
        t.throws(
          () => response.writeInformation({ status: 103, reason: '', headers: [], ...bad }),
          JSON.stringify(bad),
        );
      }
      taken.answer('done');
      t.strictSame((await client.answer()).fields, ['Link', '</a>']);
      t.equal((await client.answer()).status, 200);
    },
  },
  {
    name: 'information-1.0',
    says: 'HTTP/1.0 clients get no interim answers',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', [], '1.0'));
      taken.response.writeInformation({ status: 103, reason: 'Early Hints', headers: [] });
      taken.answer('done');
      t.equal((await client.answer()).status, 200);
    },
  },
];

/** Answers on the wire. */
export const answerClauses: readonly Clause[] = [...framingClauses, ...headClauses, ...informationClauses];
