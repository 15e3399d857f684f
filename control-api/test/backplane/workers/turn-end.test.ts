import t from 'tap';
import { TurnEnd } from '../../../dist/index.js';

t.test(
  'turn: publishes come behind what the turn reads, posts behind publishes, all before the next turn',
  async (t) => {
    const turn = new TurnEnd();
    const done: string[] = [];
    const publish = (name: string) =>
      turn.publishLater(() => {
        done.push(name);
        turn.postLater(() => done.push(`post of ${name}`));
      });
    turn.postLater(() => done.push('post'));
    publish('one');
    publish('two');
    process.nextTick(() => done.push('read'));
    await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(done, ['read', 'one', 'two', 'post', 'post of one', 'post of two']);
  },
);

t.test('turn: what waits can be done at once, and what comes up meanwhile is done too', async (t) => {
  const turn = new TurnEnd();
  const done: string[] = [];
  turn.publishLater(() => done.push('one'));
  turn.run();
  t.strictSame(done, ['one']);
  turn.publishLater(() => turn.publishLater(() => done.push('from within')));
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(done, ['one', 'from within']);
});
