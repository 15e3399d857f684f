/** Answers of origins that are in order, however seldom they are seen, and some that are not: what clients get, on both edges. */
import t, { type Test } from 'tap';
import { exchange, requestBytes } from '../../kit/clients/raw-request.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { answerOf, pathFor, startBytesOrigin } from '../../kit/origins/bytes-origin.js';
import { RawOrigin } from '../../kit/origins/raw-origin.js';

async function fixture(t: Test, edge: string): Promise<Holdfast> {
  const target = await startBytesOrigin(t);
  return startHoldfast(t, {
    settings: { edge },
    routes: [`* ${target}`, `plain.example,no_grip ${target}`],
  });
}

/** All that a client gets, with its connection, which it asks to be closed. */
const ask = (t: Test, holdfast: Holdfast, path: string, host = 'a.example', method = 'GET') =>
  exchange(t, holdfast.clients, requestBytes(path, host, ['Connection: close'], method));

/** The status of the last answer, and its body. */
function last(received: string): [status: string, body: string] {
  const at = received.lastIndexOf('HTTP/1.1 ');
  const [head = '', ...body] = received.slice(at).split('\r\n\r\n');
  return [head.slice(9, 12), body.join('\r\n\r\n')];
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\nX-Unasked: 1\r\n\r\n';

for (const edge of ['node', 'uws'] as const) {
  // One node for all: an answer that did harm to it would show in the tests behind it too.
  t.test(`edge ${edge}`, async (t) => {
    const holdfast = await fixture(t, edge);

    t.test(`${edge}: a 100 Continue that nobody asked for is swallowed`, async (t) => {
      const paths = {
        'in one segment': pathFor(`${CONTINUE}${answerOf('200 OK')}`),
        'in several': pathFor([CONTINUE.slice(0, 20), CONTINUE.slice(20), answerOf('200 OK')]),
        'a hundred': pathFor(`${CONTINUE.repeat(100)}${answerOf('200 OK')}`),
        'beside another': pathFor(
          `${CONTINUE}HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${CONTINUE}${answerOf('200 OK')}`,
        ),
      };
      for (const [what, path] of Object.entries(paths)) {
        // Twice: the connection to the origin is used again.
        for (const method of ['GET', 'POST', 'GET']) {
          const received = await ask(t, holdfast, path, 'a.example', method);
          t.strictSame(last(received), ['200', 'told\n'], `${what}, ${method}`);
          t.notMatch(received, /Continue|X-Unasked/);
        }
      }
      t.strictSame(last(await ask(t, holdfast, pathFor(`${CONTINUE.repeat(101)}${answerOf('200 OK')}`)))[0], '502');
    });

    t.test(`${edge}: answers without a body may speak of a length`, async (t) => {
      for (const length of ['0', '5', '99999']) {
        for (const status of ['204 No Content', '304 Not Modified']) {
          const path = pathFor(`HTTP/1.1 ${status}\r\nX-Whole: yes\r\nContent-Length: ${length}\r\n\r\n`);
          const received = await ask(t, holdfast, path);
          t.match(received, new RegExp(`^HTTP/1\\.1 ${status}\r\n`), `${status} with ${length}`);
          t.match(received, /X-Whole: yes\r\n/);
          t.ok(received.endsWith('\r\n\r\n') && received.split('HTTP/1.1').length === 2, 'one head, and nothing more');
          // A 204 must not declare a length (RFC 9110 §8.6); a 304 tells that of the other answer.
          t.equal(received.includes('Content-Length'), status.startsWith('304'), `${status} with ${length}`);
        }
      }
      const { child } = holdfast;
      t.strictSame(last(await ask(t, holdfast, pathFor(answerOf('200 OK'))))[0], '200', 'and what follows is served');
      t.ok(child.running);
    });

    t.test(`${edge}: a body behind a 204 becomes no answer of the next request`, async (t) => {
      const forged = answerOf('200 OK', [], 'forged');
      const path = pathFor([`HTTP/1.1 204 No Content\r\nContent-Length: ${forged.length}\r\n\r\n`, forged]);
      for (let i = 0; i < 5; i++) {
        t.equal(last(await ask(t, holdfast, path))[0], '204');
        t.strictSame(last(await ask(t, holdfast, pathFor(answerOf('200 OK')))), ['200', 'told\n']);
      }
    });

    t.test(`${edge}: a change of protocol that nobody asked for is one 502`, async (t) => {
      for (const fields of [
        '',
        'Connection: upgrade\r\nUpgrade: foo\r\n',
        'Connection: upgrade\r\nUpgrade: websocket\r\n',
      ]) {
        const path = pathFor([`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`, 'tunnelled', answerOf('200 OK')]);
        const received = await ask(t, holdfast, path);
        t.match(received, /^HTTP\/1\.1 502 /, fields);
        t.equal(received.split('HTTP/1.1').length, 2, 'one answer');
        t.notMatch(received, /tunnelled|told/);
      }
    });

    t.test(`${edge}: a Host with a dot at its end finds its route, and is passed on as it was sent`, async (t) => {
      const hosts: string[] = [];
      const origin = await RawOrigin.open(t, ({ lines, socket }) => {
        hosts.push(lines.find((line) => /^host:/i.test(line))?.slice(6) ?? '');
        socket.write(answerOf('200 OK'));
      });
      const { clients } = await startHoldfast(t, {
        settings: { edge },
        routes: [`dot.example 127.0.0.1:${origin.port}`, 'other.example. test'],
      });
      for (const host of ['dot.example', 'dot.example.', 'DOT.example.:80']) {
        const received = await exchange(t, clients, requestBytes('/', host, ['Connection: close']));
        t.strictSame([last(received)[0], hosts.at(-1)], ['200', host]);
      }
      t.equal(last(await exchange(t, clients, requestBytes('/', 'none.example.', ['Connection: close'])))[0], '502');
      t.equal(last(await exchange(t, clients, requestBytes('/', 'other.example', ['Connection: close'])))[0], '200');
    });

    t.test(`${edge}: interim answers tell clients nothing of GRIP`, async (t) => {
      const early = 'HTTP/1.1 103 Early Hints\r\nGrip-Channel: secret\r\nLink: </a>\r\ngrip-hold: stream\r\n\r\n';
      const path = pathFor(`${early}${answerOf('200 OK')}`);
      t.match(await ask(t, holdfast, path), /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 /);
      t.match(await ask(t, holdfast, path, 'plain.example'), /Grip-Channel: secret/, 'but where it is no GRIP origin');
    });
  });
}
