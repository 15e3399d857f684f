/** Members of an instruct that mean nothing. */
import t from 'tap';
import { parseInstructJson, type ResponseHead } from '../../dist/index.js';
import { UNKNOWN_MEMBERS_MAX } from '../../dist/instruct/members.js';

const head: ResponseHead = { status: 200, reason: 'OK', headers: ['Content-Type', 'application/grip-instruct'] };
const unknownIn = (document: object) =>
  parseInstructJson(head, Buffer.from(JSON.stringify(document))).unknown?.map(({ where, name }) => `${where}.${name}`);

t.test('each is found, wherever it stands, and passed over', async (t) => {
  const channel = { name: 'a', 'prev-id': '1', prevId: '1', filters: [] };
  const hold = {
    mode: 'stream',
    channels: [channel],
    timout: 5,
    'keep-alive': { content: 'x', time: 3 },
    meta: { a: 'b' },
  };
  const response = { code: 200, header: {}, body: 'x' };
  t.strictSame(unknownIn({ holds: {}, hold, response }), [
    'instruct.holds',
    'hold.timout',
    'channel.prevId',
    'keep-alive.time',
    'response.header',
  ]);
});

t.test('nothing is found in an instruct that has all there is', async (t) => {
  const hold = {
    ...{ mode: 'response', channels: [{ name: 'a', 'prev-id': '', filters: ['x'] }], timeout: 5, meta: { odd: 'x' } },
    'keep-alive': { content: 'x', 'content-bin': 'eA==', mode: 'idle', format: 'raw', timeout: 5 },
  };
  const response = { code: 200, reason: 'OK', headers: { Odd: 'x' }, body: 'x', 'body-bin': 'eA==' };
  t.equal(unknownIn({ hold, response }), undefined);
});

t.test('of many UNKNOWN_MEMBERS_MAX are found', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`m${i}`, 1]));
  t.equal(unknownIn({ ...many, response: many })?.length, UNKNOWN_MEMBERS_MAX);
});
