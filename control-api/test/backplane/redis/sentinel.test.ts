import t from 'tap';
import { ControlError } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { startNode } from './backplane-fixture.js';
import { startSentinels, until } from './redis-fixture.js';

t.test(
  'redis sentinel: after a failover publishing goes on, and what the replica lacked is a gap, never silence',
  async (t) => {
    const { master, replica, url } = await startSentinels(t);
    const publisher = await startNode(t, url);
    const receiver = await startNode(t, url);
    await receiver.backplane.subscribe('a');
    await receiver.backplane.subscribe('b');
    await publisher.backplane.publish([streamMessage('a', '1'), streamMessage('a', '2'), streamMessage('b', '1')]);
    await until('the replica has all', async () => (await replica.cli('dbsize')) === (await master.cli('dbsize')));
    // From here on the replica gets nothing: it cannot connect anew while it stands still.
    replica.signal('SIGSTOP');
    await master.cli('client', 'kill', 'type', 'replica');
    await publisher.backplane.publish([streamMessage('a', 'lost 1'), streamMessage('a', 'lost 2')]);
    await receiver.listener.saw('a/lost 2');
    await master.kill();
    replica.signal('SIGCONT');
    await until('publishes are accepted again', async () => {
      try {
        await publisher.backplane.publish([streamMessage('b', '2')]);
        return true;
      } catch (error) {
        if (error instanceof ControlError && error.code === 'ERR_BACKPLANE_UNAVAILABLE') return false;
        throw error;
      }
    });
    await until('redis is available', () => receiver.backplane.unavailableReason === undefined);
    await receiver.listener.saw('b/2');
    await until('there is a gap', () => receiver.listener.gaps.length > 0);
    t.match(receiver.listener.gaps, [{ channel: 'a', reason: 'rewound', after: { offset: 4 } }]);
    await publisher.backplane.publish([streamMessage('a', '3')]);
    await receiver.listener.saw('a/3');
    t.strictSame(
      receiver.listener.labels.filter((label) => label.startsWith('b/')),
      ['b/1', 'b/2'],
    );
    t.strictSame(
      receiver.listener.labels.filter((label) => label.startsWith('a/')),
      ['a/1', 'a/2', 'a/lost 1', 'a/lost 2', 'a/3'],
    );
  },
);

t.test(
  'redis sentinel: a failover that is reported while the master is asked for does not keep a node away',
  async (t) => {
    const { master, replica, sentinels, url } = await startSentinels(t);
    const node = await startNode(t, url);
    await node.backplane.subscribe('a');
    const [first, second] = sentinels;
    await second?.cli('sentinel', 'failover', 'main');
    // From now on the Sentinels learn of it within a second. The first one does not, nor does it answer.
    await until('the replica is promoted', async () => {
      // It drops its clients while it changes its role.
      const role = await replica.cli('role').catch(() => '');
      return role.startsWith('master');
    });
    first?.signal('SIGSTOP');
    t.teardown(() => first?.signal('SIGCONT'));
    await master.cli('client', 'kill', 'type', 'pubsub');
    await master.cli('client', 'kill', 'type', 'normal');
    await until('the connections are lost', () => node.backplane.unavailableReason !== undefined);
    await until('redis is available', () => node.backplane.unavailableReason === undefined);
    await node.backplane.publish([streamMessage('a', '1')]);
    await node.listener.saw('a/1');
    t.match(await replica.cli('pubsub', 'channels'), 'a', 'by way of the new master');
  },
);
