/** Long answers of connections without TLS: what is read into buffers that are shared, or of their own, is each reader's to keep. */
import t from 'tap';
import { OWN_BUFFERS } from '../../../dist/origin/undici/plain-connections.js';
import { RawOrigin } from '../../kit/origins/raw-origin.js';
import { ask, makeClient, target } from '../client-fixture.js';

const BODY_BYTES = 200_000;

/** Differs with the number at every place. */
const bodyOf = (n: number) => `${n}:`.repeat(BODY_BYTES).slice(0, BODY_BYTES);

/** Asks so many at a time, in rounds; the origin answers all of a round when the last request of it has come. */
async function rounds(t: Parameters<typeof RawOrigin.open>[0], { atOnce, count }: { atOnce: number; count: number }) {
  let asked = 0;
  const waiting: (() => void)[] = [];
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    const n = Number(/\/(\d+) /.exec(lines[0] ?? '')?.[1]);
    waiting.push(() => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n${bodyOf(n)}`));
    if (++asked % atOnce === 0) for (const answer of waiting.splice(0)) answer();
  });
  const client = makeClient(t);
  for (let round = 0; round < count; round++) {
    const recorders = Array.from({ length: atOnce }, (_, i) =>
      ask(client, target(origin.port), { path: `/${round * atOnce + i}` }),
    );
    for (const [i, { recorder }] of recorders.entries()) {
      if ((await recorder.ended()) !== 'end') t.fail('an answer that does not end');
      // Not strictSame, whose report of a difference would be megabytes.
      if (recorder.body !== bodyOf(round * atOnce + i)) t.fail(`answer ${i} of round ${round} is another one`);
    }
    // A connection is used again from the next turn on.
    await new Promise(setImmediate);
  }
  return origin;
}

t.test('each of many long answers at once has its own bytes, on connections that are used again', async (t) => {
  const origin = await rounds(t, { atOnce: 8, count: 6 });
  t.equal(new Set(origin.requests.map(({ connection }) => connection)).size, 8);
});

t.test('more connections than may have buffers of their own', async (t) => {
  const atOnce = OWN_BUFFERS + 20;
  const origin = await rounds(t, { atOnce, count: 2 });
  t.equal(origin.sockets.size, atOnce);
});
