/** What waits to be asked of Redis is taken in commands of a bounded number of channels. */
import t from 'tap';
import { PARTITIONS, RedisKeys } from '../../../../dist/backplane/redis/keys.js';
import { CHANNELS_PER_COMMAND } from '../../../../dist/backplane/redis/limits.js';
import type { ChannelSubscription } from '../../../../dist/backplane/redis/subscribe/backfill.js';
import { UnsentChannels } from '../../../../dist/backplane/redis/subscribe/unsent.js';

const keys = new RedisKeys('hf');

/** So many that there are more than one command has room for in each partition. */
const MANY = (PARTITIONS + 40) * CHANNELS_PER_COMMAND;

function subscriptionTo(channel: string): ChannelSubscription {
  const none = { prefix: undefined, cursor: undefined, pending: undefined, connection: undefined };
  return { channel, keys: keys.channel(channel), reading: false, ...none };
}

t.test('every channel is taken once, as many at a time as a command may have', async (t) => {
  const unsent = new UnsentChannels();
  const added = Array.from({ length: 3 * CHANNELS_PER_COMMAND + 7 }, (_, i) => subscriptionTo(`c${i}`));
  for (const subscription of [...added, ...added]) unsent.add(subscription);
  t.equal(unsent.size, added.length, 'a channel waits once');
  const sizes: number[] = [];
  const taken = new Set<ChannelSubscription>();
  for (let batch = unsent.take(() => true, false); batch.length > 0; batch = unsent.take(() => true, false)) {
    sizes.push(batch.length);
    for (const subscription of batch) taken.add(subscription);
  }
  t.strictSame(sizes, [CHANNELS_PER_COMMAND, CHANNELS_PER_COMMAND, CHANNELS_PER_COMMAND, 7]);
  t.equal(taken.size, added.length);
  t.equal(unsent.size, 0);
});

t.test('in a cluster a command is for one partition', async (t) => {
  const unsent = new UnsentChannels();
  for (let i = 0; i < MANY; i++) unsent.add(subscriptionTo(`c${i}`));
  const isMeant = (partition: number) => partition % 2 === 1;
  let taken = 0;
  for (let batch = unsent.take(isMeant, true); batch.length > 0; batch = unsent.take(isMeant, true)) {
    const partitions = new Set(batch.map(({ keys }) => keys.partition));
    if (partitions.size !== 1 || batch.length > CHANNELS_PER_COMMAND) t.fail(`${batch.length} of ${partitions.size}`);
    if (batch.some(({ keys }) => !isMeant(keys.partition))) t.fail('a partition that was not meant');
    taken += batch.length;
  }
  t.ok(taken > MANY / 3, 'those that are meant are taken');
  t.equal(unsent.size, MANY - taken, 'the others wait');
});

t.test('what is not wanted any more is not taken', async (t) => {
  const unsent = new UnsentChannels();
  const [one, other] = [subscriptionTo('one'), subscriptionTo('other')];
  unsent.add(one);
  unsent.add(other);
  unsent.delete(one);
  unsent.delete(one);
  t.equal(unsent.size, 1);
  t.strictSame(
    unsent.take(() => true, false),
    [other],
  );
  unsent.add(one);
  unsent.clear();
  t.strictSame(
    unsent.take(() => true, false),
    [],
  );
});
