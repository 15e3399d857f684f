/** What it costs a process that one of those who share its backplane leaves, such as a tap. */
import { BackplaneHub, LocalBackplane, silentLog } from '@holdfast/control-api';
import t from 'tap';
import { growth } from '../../../grip/dist-test/growth.js';

t.setTimeout(120_000);

const LEAVING = 1_000;
const listener = { onMessage() {}, onGap() {} };

t.test('a tap leaves at the same cost however many channels the process has', async (t) => {
  // Asked outside of what is measured, and in this order: small, then large, several times each.
  const prepare = (channels: number) => async () => {
    const hub = await hubs.get(channels);
    if (hub === undefined) throw new Error('not prepared');
    for (let i = 0; i < LEAVING; i++) {
      const share = hub.share();
      await share.start(listener);
      void share.subscribe('watched');
      await share.close();
    }
  };
  const hubs = new Map([2_000, 32_000].map((channels) => [channels, busy(channels)]));
  for (const hub of hubs.values()) await hub;
  const grown = await growth(2_000, prepare);
  t.ok(grown < 6, `${grown} times as much for 16 times as many channels`);
  for (const hub of hubs.values()) t.notOk((await hub).channels % 1_000, 'all others are there');
});

/** A process whose data plane is on so many channels. */
async function busy(channels: number): Promise<BackplaneHub> {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog), log: silentLog });
  const data = hub.share();
  await data.start(listener);
  for (let i = 0; i < channels; i++) void data.subscribe(`channel ${i}`);
  return hub;
}
