/** The frames of a client at a `subscribe` target. */
import t from 'tap';
import { answerFrame, MAX_FRAME, readFrame } from '../../dist/direct/frames.js';

const read = (text: string) => readFrame('text', Buffer.from(text));

t.test('one with any of its members, each channel once', async (t) => {
  t.strictSame(read('{"subscribe":["a","a","b"]}'), {
    id: undefined,
    subscribe: ['a', 'b'],
    unsubscribe: [],
    token: undefined,
  });
  t.match(read('{"unsubscribe":["a"],"token":"x.y.z","id":1}'), { unsubscribe: ['a'], token: 'x.y.z', id: 1 });
  t.match(read('{"subscribe":[],"id":"n"}'), { subscribe: [], id: 'n' });
});

const bad = [
  '',
  '[]',
  '"a"',
  'null',
  '{}',
  '{"id":1}',
  '{"subscribe":"a"}',
  '{"subscribe":[1]}',
  '{"subscribe":["a"],"publish":["a"]}',
  '{"subscribe":["a"],"id":{}}',
  `{"subscribe":["a"],"id":"${'x'.repeat(101)}"}`,
  `{"token":"${'x'.repeat(8_193)}"}`,
  '{"token":5}',
  `{"subscribe":["${'x'.repeat(MAX_FRAME)}"]}`,
];
for (const text of bad) t.test(`none: ${text.slice(0, 60)}`, async (t) => t.equal(read(text), undefined));

t.test('none: binary, and what is no UTF-8', async (t) => {
  t.equal(readFrame('binary', Buffer.from('{"subscribe":["a"]}')), undefined);
  t.equal(readFrame('text', Buffer.from('{"subscribe":["\xff"]}', 'latin1')), undefined);
});

t.test('an answer has the id of its frame', async (t) => {
  t.equal(answerFrame({ holdfast: 'ok', subscribed: ['a'] }, 7), '{"holdfast":"ok","subscribed":["a"],"id":7}');
  t.equal(
    answerFrame({ holdfast: 'error', error: 'bad_frame' }, undefined),
    '{"holdfast":"error","error":"bad_frame"}',
  );
});
