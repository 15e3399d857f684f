import t from 'tap';
import { OccupancyShare } from '../../dist/index.js';
import { keyOf, readKey } from '../../dist/occupancy/occupancy.js';

t.test('what a process has entered leaves with it, as often as it was there', async (t) => {
  const calls: string[] = [];
  const share = new OccupancyShare({
    enter: (group, member, note) => void calls.push(`enter ${group} ${member} ${note}`),
    leave: (group, member) => void calls.push(`leave ${group} ${member}`),
  });
  share.enter('g', 'a', 'x');
  share.enter('g', 'a');
  share.enter('g', 'b');
  share.leave('g', 'b');
  share.leave('g', 'b');
  share.leave('g', 'c');
  t.strictSame(calls.splice(0), ['enter g a x', 'enter g a undefined', 'enter g b undefined', 'leave g b']);
  share.close();
  t.strictSame(calls.splice(0), ['leave g a', 'leave g a']);
  share.enter('g', 'd');
  share.leave('g', 'a');
  share.close();
  t.strictSame(calls, []);
});

t.test('a key names its group and member, and text that is none names nothing', async (t) => {
  for (const [group, member] of [
    ['', ''],
    ['1:', ':'],
    ['ä☃', '2:x'],
    ['a', 'ä'],
  ] as const) {
    t.strictSame(readKey(keyOf(group, member)), { group, member });
  }
  for (const text of ['', ':', 'a:b', '9:abc', '-1:a', '1', '9999999999:a']) t.equal(readKey(text), undefined);
});
