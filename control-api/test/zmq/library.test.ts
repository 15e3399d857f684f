import { encodePacket } from '@holdfast/grip';
import t from 'tap';
import { pushPacket } from '../../dist/index.js';
import { ANY, openSockets } from './zeromq-fixture.js';

const packet = encodePacket({ channel: 'a', id: '1', formats: { 'http-stream': { content: 'x' } } }, 'tnetstring');

t.test('a message reaches the PULL socket', async (t) => {
  const { listener, uri } = await openSockets(t, { pushInSpec: ANY });
  await pushPacket(uri('publish items'), packet);
  await listener.saw('a/1');
});

t.test('nobody there in time is an error, not a wait without end', async (t) => {
  await t.rejects(pushPacket('tcp://127.0.0.1:1', packet, 50), {
    code: 'ERR_ZMQ_SEND',
    message: 'Nobody listens on tcp://127.0.0.1:1.',
  });
});

t.test('a spec that is none is an error', async (t) => {
  await t.rejects(pushPacket('tcp://127.0.0.1', packet), { code: 'ERR_ZMQ_SPEC' });
  await t.rejects(pushPacket('foo://x', packet), { code: 'ERR_ZMQ_SPEC' });
});
