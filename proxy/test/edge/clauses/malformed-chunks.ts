/** Clauses of the `Edge` contract: chunks that another parser may read otherwise. */
import { head } from '../../kit/clients/raw-client.js';
import { until } from '../../kit/until.js';
import type { Clause } from '../clause.js';
import type { ReadBody } from '../scripted-handler.js';

/** Chunks that are none (RFC 9112 §7.1), as another parser may read them. */
const malformedChunks: readonly (readonly [name: string, says: string, body: string])[] = [
  ['word', 'a word behind the size', '3 junk\r\nabc\r\n0\r\n\r\n'],
  ['size-lf', 'a size line that ends in a bare LF', '3\nabc\r\n0\r\n\r\n'],
  ['size-cr', 'a size line that ends in a bare CR', '3\rabc\r\n0\r\n\r\n'],
  ['extension-lf', 'an extension that ends in a bare LF', '3;a\nabc\r\n0\r\n\r\n'],
  ['data-lf', 'data that end in a bare LF', '3\r\nabc\n0\r\n\r\n'],
  ['data-more', 'other bytes in place of the line end behind the data', '3\r\nabcXX0\r\n\r\n'],
  ['last-empty', 'an empty line in place of the last chunk', '3\r\nabc\r\n\r\n\r\n'],
  ['size-empty', 'a size that is empty', '\r\nabc\r\n0\r\n\r\n'],
  ['size-g', 'a size with a letter that is no digit', 'g\r\n0123456789abcdef\r\n0\r\n\r\n'],
  ['size-colon', 'a size with a colon', ':\r\n0123456789\r\n0\r\n\r\n'],
  ['size-plus', 'a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['size-minus', 'a negative size', '-3\r\nabc\r\n0\r\n\r\n'],
  ['size-prefix', 'a size with a prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['size-space', 'a space before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['size-huge', 'a size beyond every number', 'fffffffffffffffff3\r\nabc\r\n0\r\n\r\n'],
  ['size-wraps', 'a size that is another number in 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['trailer', 'a trailer that is no field', '3\r\nabc\r\n0\r\nX Y\r\n\r\n'],
];

/** Bodies that are refused. */
export const chunkClauses: readonly Clause[] = malformedChunks.map(([name, says, body]) => ({
  name: `chunks-${name}`,
  says: `${says}: such chunks are never a whole body, and nothing sent after them is served`,
  run: async (t, fixture) => {
    const start = head('POST', '/', ['Transfer-Encoding: chunked']);
    const next = head('GET', '/smuggled');
    for (const pieces of [[`${start}${body}${next}`], [start, body, next], [...`${start}${body}${next}`]]) {
      const client = await fixture.connect();
      let isClosed = false;
      void client.closed().then(() => {
        isClosed = true;
      });
      const paths: string[] = [];
      const bodies: Promise<ReadBody>[] = [];
      const serve = () => {
        for (const taken of fixture.handler.waiting.splice(0)) {
          paths.push(taken.request.path);
          if (taken.request.body !== undefined) bodies.push(taken.read());
        }
      };
      for (const piece of pieces) await client.write(piece).then(serve);
      await until(() => {
        serve();
        return isClosed;
      });
      t.notOk(paths.includes('/smuggled'));
      for (const read of bodies) t.equal((await read).end, 'abort');
    }
  },
}));
