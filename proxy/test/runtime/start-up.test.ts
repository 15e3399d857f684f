import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const module = new URL('../../dist/runtime/start-up.js', import.meta.url).href;

/** Runs `code` with a flag of V8 that has it say what it does. */
async function traced(flag: string, isSetUp: boolean, code: string): Promise<{ stdout: string; stderr: string }> {
  const script = `
    import { setUpV8 } from ${JSON.stringify(module)};
    if (${isSetUp}) setUpV8();
    ${code}`;
  return promisify(execFile)(process.execPath, [flag, '--input-type=module', '-e', script]);
}

/** A small function that is run so often that V8 would leave it alone. */
const OFTEN = `
  function observed(list) { let sum = 0; for (const value of list) sum += value; return sum; }
  for (let i = 0; i < 500; i++) { observed([1, 2, 3]); if (i % 50 === 0) await null; }`;

/** One place that makes objects which live for some collections. */
const LASTING = `
  const make = (i) => [i, [i]];
  let kept;
  for (let round = 0; round < 60; round++) {
    kept = [];
    for (let i = 0; i < 100_000; i++) kept.push(make(i));
  }`;

t.test('V8 understands what it is told', async (t) => {
  t.strictSame(await traced('--no-trace-opt', true, ''), { stdout: '', stderr: '' });
});

t.test('what runs often is compiled sooner where V8 can be told so', async (t) => {
  const [usual, early] = await Promise.all([traced('--trace-opt', false, OFTEN), traced('--trace-opt', true, OFTEN)]);
  const compiled = [usual, early].map(({ stdout }) => /marking .*observed/.test(stdout));
  if (process.versions.v8.startsWith('11.')) t.strictSame(compiled, [false, true]);
  else t.equal(compiled[1], compiled[0]);
});

t.test('objects of places whose objects last are made among the young ones all the same', async (t) => {
  const [usual, young] = await Promise.all([
    traced('--trace-pretenuring-statistics', false, LASTING),
    traced('--trace-pretenuring-statistics', true, LASTING),
  ]);
  t.match(usual.stdout, /pretenuring/);
  t.notMatch(young.stdout, /pretenuring/);
});
