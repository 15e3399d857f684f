import t from 'tap';
import { NESTED_MESSAGES_LIMIT } from '../../dist/backplane/local.js';
import { LocalBackplane, silentLog } from '../../dist/index.js';
import { rememberedIds, streamMessage } from '../items.js';
import { RecordingListener, RecordingLog } from '../recorder.js';
import { backplaneContract } from './contract.js';

backplaneContract(t, 'local', async () => {
  return { backplanes: [new LocalBackplane(silentLog, rememberedIds())] };
});

async function started(log = new RecordingLog()) {
  const backplane = new LocalBackplane(log);
  const listener = new RecordingListener();
  await backplane.start(listener);
  return { backplane, listener, log };
}

t.test('local: interest is live when subscribe returns', async (t) => {
  const { backplane } = await started();
  t.equal(backplane.subscribe('a'), undefined);
});

t.test('local: the items of a call are delivered in one block, before publish returns', async (t) => {
  const { backplane, listener } = await started();
  await backplane.subscribe('a');
  const accepted = backplane.publish([streamMessage('a', '1'), streamMessage('a', '2')]);
  t.strictSame(listener.labels, ['a/1', 'a/2']);
  await accepted;
});

t.test(
  'local: a publish waits for no turn of the event loop, and still follows what the listener published',
  async (t) => {
    const { backplane, listener } = await started();
    await backplane.subscribe('a');
    listener.before = (message) => {
      if (message.type === 'item' && message.id === '1') void backplane.publish([streamMessage('a', 'nested')]);
    };
    void backplane.publish([streamMessage('a', '1')]);
    void backplane.publish([streamMessage('a', '2')]);
    t.strictSame(listener.labels, ['a/1', 'a/nested', 'a/2']);
  },
);

t.test('local: a throw of the listener is logged with its error', async (t) => {
  const { backplane, listener, log } = await started();
  await backplane.subscribe('a');
  listener.before = () => {
    throw new Error('listener fails');
  };
  await backplane.publish([streamMessage('a', '1')]);
  t.match(log.at('error'), [{ fields: { where: 'backplane', stack: /listener fails/ } }]);
});

t.test('local: a listener that publishes over its limit is refused, whole calls at a time', async (t) => {
  const { backplane, listener } = await started();
  await backplane.subscribe('a');
  await backplane.subscribe('start');
  const full = Array.from({ length: NESTED_MESSAGES_LIMIT }, (_, i) => streamMessage('a', String(i)));
  let accepted: Promise<unknown> | undefined;
  let refused: Promise<unknown> | undefined;
  listener.before = (message) => {
    if (message.type !== 'item' || message.item.channel !== 'start') return;
    accepted = backplane.publish(full);
    refused = backplane.publish([streamMessage('a', 'over')]);
    refused?.catch(() => {});
  };
  await backplane.publish([streamMessage('start', '0')]);
  await accepted;
  await t.rejects(refused as unknown as Promise<unknown>, { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  await listener.saw(`a/${NESTED_MESSAGES_LIMIT - 1}`);
  t.equal(listener.messages.length, NESTED_MESSAGES_LIMIT + 1);
});

t.test('local: a listener that answers every item with another leaves the event loop running', async (t) => {
  const { backplane, listener } = await started();
  await backplane.subscribe('a');
  let count = 0;
  listener.before = () => {
    count += 1;
    void backplane.publish([streamMessage('a', String(count))]).catch(() => {});
  };
  await backplane.publish([streamMessage('a', 'first')]);
  await new Promise((resolve) => setTimeout(resolve, 1));
  await backplane.close();
  t.ok(count > 0);
});
