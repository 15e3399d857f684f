import t from 'tap';
import { type Clock, StandaloneNode } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';
import { nodesContract, RecordingMember } from './contract.js';

const realClock: Clock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (ms, run) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

nodesContract(t, 'standalone node', async () => ({ nodes: [new StandaloneNode(realClock)] }), { alone: true });

t.test('standalone node: its state is that of the moment, and of no age', async (t) => {
  const nodes = new StandaloneNode(new ManualClock());
  const member = new RecordingMember('me');
  await nodes.join(member);
  member.connections = 7;
  t.strictSame(await nodes.list(), [{ ...member.state(), connections: 7, age: 0 }]);
});

t.test('standalone node: it waits as long as it is asked to, and no timer is left', async (t) => {
  const clock = new ManualClock();
  const nodes = new StandaloneNode(clock);
  const member = new RecordingMember('me');
  await nodes.join(member);
  let resolve: (answer: unknown) => void = () => {};
  member.answering = () => new Promise((settle) => (resolve = settle));
  const inTime = nodes.ask({ about: 'connection', id: 'x' }, 1_000);
  clock.advance(999);
  resolve('found');
  t.match(await inTime, { answers: [{ answer: 'found' }] });
  const late = nodes.ask({ about: 'connection', id: 'x' }, 1_000);
  clock.advance(1_000);
  resolve('too late');
  t.match(await late, { answers: [], silent: ['me'] });
  t.equal(clock.pending, 0);
});

t.test('standalone node: without a member there is nobody', async (t) => {
  const nodes = new StandaloneNode(new ManualClock());
  t.strictSame(await nodes.list(), []);
  t.strictSame(await nodes.ask({ about: 'channel', name: 'a' }, 1), { answers: [], silent: [] });
});
