import t from 'tap';
import { type FaultPlace, Faults, type Faulty, silentLog, uncontained } from '../../dist/index.js';

/** Containment, and what it has reported. */
function containment() {
  const lines: { readonly id?: string; readonly where: string; readonly stack: string }[] = [];
  const counted: FaultPlace[] = [];
  const log = { ...silentLog, error: (fields: object) => void lines.push(fields as (typeof lines)[number]) };
  const faults = new Faults(log, { faultCaught: (where) => void counted.push(where) });
  return { faults, lines, counted };
}

const fail = (message: string) => () => {
  throw new Error(message);
};

t.test('a fault is counted, has one line with id, place and stack, and ends what it belongs to', async (t) => {
  const { faults, lines, counted } = containment();
  const ended: unknown[] = [];
  faults.run('timer', fail('broken'), { id: 'r1', fault: (error) => void ended.push(error) });
  t.strictSame(counted, ['timer']);
  t.match(lines, [{ id: 'r1', where: 'timer', stack: /^Error: broken\n\s+at / }]);
  t.match(ended, [{ message: 'broken' }]);
});

t.test('where ending throws too that is one more fault, and nothing gets out', async (t) => {
  const { faults, lines, counted } = containment();
  faults.run('client', fail('first'), { fault: fail('second') });
  t.strictSame(counted, ['client', 'client']);
  t.match(lines, [{ stack: /first/ }, { stack: /second/ }]);
});

t.test('a rejection is a fault; what does not throw is none', async (t) => {
  const { faults, counted } = containment();
  faults.watch('history', Promise.reject(new Error('late')));
  faults.watch('history', Promise.resolve());
  faults.run('control', () => {});
  await new Promise(setImmediate);
  t.strictSame(counted, ['history']);
});

t.test('whatever is thrown is reported: no error, or one that cannot be read', async (t) => {
  const { faults, lines, counted } = containment();
  const odd = Object.defineProperty(new Error(''), 'stack', { get: fail('unreadable') });
  for (const thrown of ['text', undefined, null, odd, { toString: fail('no text') }]) faults.caught('client', thrown);
  t.equal(counted.length, 5);
  t.match(lines.slice(0, 3), [{ stack: 'thrown: text' }, { stack: 'thrown: undefined' }, { stack: 'thrown: null' }]);
});

t.test('without a process around them parts throw on', async (t) => {
  const what: Faulty = { fault: fail('not called') };
  t.throws(() => uncontained.run('client', fail('on'), what), /on/);
  t.throws(() => uncontained.caught('client', new Error('on'), what), /on/);
});
