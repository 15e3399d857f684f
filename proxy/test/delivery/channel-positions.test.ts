import fc from 'fast-check';
import t from 'tap';
import { ChannelPositions } from '../../dist/delivery/channel-positions.js';

const at = (offset: number, epoch = 'e') => ({ epoch, offset });

t.test('nothing is known of a channel before its first item, nor after it was forgotten', async (t) => {
  const positions = new ChannelPositions();
  t.equal(positions.latest('a'), undefined);
  const first = at(5);
  positions.arrived('a', first);
  t.strictSame(positions.passed('a', first), at(5));
  t.strictSame(positions.latest('a'), at(5));
  positions.forget('a');
  t.equal(positions.latest('a'), undefined);
});

t.test('an item that waits holds back what is claimed, not what is given out', async (t) => {
  const positions = new ChannelPositions();
  const [five, six, seven] = [at(5), at(6), at(7)] as const;
  for (const position of [five, six, seven]) positions.arrived('a', position);
  t.strictSame(positions.passed('a', six), at(4));
  t.strictSame(positions.passed('a', five), at(6));
  t.strictSame(positions.passed('a', seven), at(7));
});

t.test('property: no item at or before what is claimed is still to be given out', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 30 }), (keys) => {
      const positions = new ChannelPositions();
      const all = keys.map((_, i) => at(i + 1));
      for (const position of all) positions.arrived('a', position);
      const order = all.map((position, i) => [keys[i] as number, position] as const).sort(([a], [b]) => a - b);
      const out = new Set<number>();
      for (const [, position] of order) {
        const { offset } = positions.passed('a', position);
        out.add(position.offset);
        for (let i = 1; i <= offset; i++) if (!out.has(i)) return false;
        if (offset < keys.length && out.has(offset + 1)) return false;
      }
      return positions.latest('a')?.offset === keys.length;
    }),
  );
});
