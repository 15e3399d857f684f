import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const module = new URL('../dist/early-optimization.js', import.meta.url).href;

/** Runs a small function so often that V8 would leave it alone, and returns what it says of compiling it. */
async function traceOf(early: boolean): Promise<{ compiled: boolean; stderr: string }> {
  const code = `
    import { optimizeEarly } from ${JSON.stringify(module)};
    if (${early}) optimizeEarly();
    function observed(list) { let sum = 0; for (const value of list) sum += value; return sum; }
    for (let i = 0; i < 500; i++) { observed([1, 2, 3]); if (i % 50 === 0) await null; }`;
  const args = ['--trace-opt', '--input-type=module', '-e', code];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  return { compiled: /marking .*observed/.test(stdout), stderr };
}

t.test('what runs often is compiled sooner where V8 can be told so, and V8 understands what it is told', async (t) => {
  const [usual, early] = await Promise.all([traceOf(false), traceOf(true)]);
  t.strictSame(early.stderr, '');
  if (process.versions.v8.startsWith('11.')) t.strictSame([usual.compiled, early.compiled], [false, true]);
  else t.strictSame(early.compiled, usual.compiled);
});
