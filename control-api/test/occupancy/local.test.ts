import t from 'tap';
import { LocalOccupancy } from '../../dist/index.js';
import { realClock } from '../backplane/redis/backplane-fixture.js';
import { ManualClock } from '../manual-clock.js';
import { DELAY_MS, occupancyContract, RecordedEdges } from './contract.js';

occupancyContract(
  t,
  'local',
  async (t, count) =>
    Array.from({ length: count }, () => {
      const node = new LocalOccupancy({ clock: realClock, delay: DELAY_MS });
      t.teardown(() => node.close());
      return node;
    }),
  { alone: true },
);

t.test('a member is given up when the delay is over, and not before', async (t) => {
  const clock = new ManualClock();
  const node = new LocalOccupancy({ clock, delay: 5_000 });
  const recorded = new RecordedEdges();
  node.start(recorded);
  node.enter('g', 'a');
  node.enter('g', 'b');
  clock.advance(100);
  node.leave('g', 'a');
  clock.advance(2_000);
  node.leave('g', 'b');
  clock.advance(2_999);
  t.strictSame(recorded.of('g'), ['+a=1', '+b=2']);
  clock.advance(100);
  t.strictSame(recorded.of('g'), ['+a=1', '+b=2', '-a=1']);
  clock.advance(2_000);
  t.strictSame(recorded.of('g'), ['+a=1', '+b=2', '-a=1', '-b=0']);
  t.equal(clock.pending, 0);
});

t.test('without a delay a member is given up at once, and numbers grow though the clock is set back', async (t) => {
  const clock = new ManualClock();
  const node = new LocalOccupancy({ clock, delay: 0 });
  const recorded = new RecordedEdges();
  node.start(recorded);
  node.enter('g', 'a');
  clock.advance(20);
  clock.setWall(-60_000);
  node.leave('g', 'a');
  clock.advance(20);
  t.strictSame(recorded.of('g'), ['+a=1', '-a=0']);
  const [first, second] = recorded.edges;
  t.ok((second?.seq ?? 0) > (first?.seq ?? 0));
  node.enter('g', 'b');
  node.leave('g', 'b');
  clock.advance(20);
  t.equal(recorded.edges.length, 2, 'who comes and goes while changes are gathered is not reported');
});
