/** Reason phrases of origins, which undici would read as UTF-8, and statuses that are none. */
import t from 'tap';
import { RawOrigin } from '../../kit/origins/raw-origin.js';
import { ask, makeClient, target } from '../client-fixture.js';

t.test('a reason comes byte for byte, however it is divided, on a connection that is used again', async (t) => {
  const answers = ['Trouv\xe9', 'Trouv\xc3\xa9', '', 'OK', '\xc4\x8d\xc4\x8aX: y', '\x80\xff', 'a\tb'];
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    const reason = answers[Number(lines[0]?.split(' ')[1]?.slice(1))] ?? '';
    const bytes = Buffer.from(`HTTP/1.1 200 ${reason}\r\nContent-Length: 0\r\n\r\n`, 'latin1');
    let at = 0;
    const send = () => {
      if (at < bytes.length) socket.write(bytes.subarray(at, ++at), () => setImmediate(send));
    };
    socket.setNoDelay(true);
    send();
  });
  const client = makeClient(t);
  for (const [i, reason] of answers.entries()) {
    const { recorder } = ask(client, target(origin.port), { path: `/${i}` });
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.head?.reason, reason);
  }
  t.equal(origin.requests.at(-1)?.connection, 1);
});

t.test('one that cannot be sent on is the default phrase of its status', async (t) => {
  const reasons = ['a\x01', 'a\0', '\x7f', 'x'.repeat(1_025), 'x'.repeat(200_000)];
  const origin = await RawOrigin.open(t, ({ socket }) => {
    socket.write(Buffer.from(`HTTP/1.1 404 ${reasons.shift()}\r\nContent-Length: 0\r\n\r\n`, 'latin1'));
  });
  const client = makeClient(t);
  while (reasons.length > 0) {
    const { recorder } = ask(client, target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.match(recorder.head, { status: 404, reason: 'Not Found' });
  }
});

for (const status of ['000', '042', '099', '101', '1', '2000', 'x']) {
  t.test(`status ${status} is no answer`, async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => {
      socket.write(`HTTP/1.1 ${status} What\r\nContent-Length: 2\r\n\r\nok`);
    });
    const { recorder } = ask(makeClient(t), target(origin.port));
    const end = await recorder.ended();
    t.match(end, { repeat: 'no', code: /^ERR_ORIGIN_(MALFORMED|CLOSED)$/ });
    t.strictSame([recorder.head, recorder.information], [undefined, []]);
  });
}
