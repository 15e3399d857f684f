/** The history of a worker is that of its primary, and so is that of a share of a hub. */
import t from 'tap';
import {
  type Backplane,
  BackplaneHub,
  type History,
  type LinkPort,
  LocalBackplane,
  LocalHistory,
  MessageEncoder,
  silentLog,
  WorkerBackplane,
  WorkerLink,
} from '../../../dist/index.js';
import { rememberedIds } from '../../items.js';
import { ManualClock } from '../../manual-clock.js';
import { historyContract } from '../history-contract.js';

function makeHub(size: number): BackplaneHub {
  const history = new LocalHistory({
    clock: new ManualClock(),
    epoch: 'e',
    historySize: size,
    historyTtl: 60_000,
  });
  return new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds(), history), log: silentLog });
}

/** Two ends of a pipe that takes a turn of the event loop. */
function pipe(): [LinkPort, LinkPort] {
  const receivers: ((batch: unknown) => void)[] = [];
  const end = (own: number): LinkPort => ({
    post: (batch) => void setImmediate(() => receivers[1 - own]?.(Buffer.from(batch))),
    listen: (received) => {
      receivers[own] = received;
    },
  });
  return [end(0), end(1)];
}

historyContract(t, 'hub', async (size) => {
  const hub = makeHub(size);
  return { backplane: hub.share() as Backplane & History, dispose: () => hub.close() };
});

historyContract(t, 'workers', async (size) => {
  const hub = makeHub(size);
  const [worker, primary] = pipe();
  const link = new WorkerLink({
    share: hub.share(),
    port: primary,
    encoder: new MessageEncoder(),
    clock: new ManualClock(),
  });
  const backplane = new WorkerBackplane({ port: worker, history: true, log: silentLog });
  const dispose = async () => {
    await link.close();
    await hub.close();
  };
  return { backplane: backplane as Backplane & History, dispose };
});
