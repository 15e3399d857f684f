/** Tries a clause without a report, where it is not expected to be kept. */
import assert from 'node:assert/strict';
import type { Test } from 'tap';
import { untilGivenUp } from '../kit/until.js';
import { type Clause, EdgeFixture, type MakeEdge } from './clause.js';

/** What a clause needs of a test: assertions that throw, and tearing down. */
class Judge {
  readonly teardowns: (() => unknown)[] = [];

  teardown(run: () => unknown): void {
    this.teardowns.push(run);
  }

  equal(found: unknown, wanted: unknown): void {
    assert.equal(found, wanted);
  }

  not(found: unknown, unwanted: unknown): void {
    assert.notEqual(found, unwanted);
  }

  strictSame(found: unknown, wanted: unknown): void {
    assert.deepEqual(found, wanted);
  }

  ok(found: unknown): void {
    assert.ok(found);
  }

  notOk(found: unknown): void {
    assert.ok(!found);
  }

  match(found: string, pattern: RegExp): void {
    assert.match(found, pattern);
  }

  throws(run: () => void): void {
    assert.throws(run);
  }
}

/** Whether a clause is kept, or why not; one that is not through after `limit` ms is not kept. */
export async function tryClause(clause: Clause, make: MakeEdge, limit: number): Promise<'kept' | Error> {
  const judge = new Judge();
  const t = judge as unknown as Test;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(resolve, limit, new Error('not through in time'));
  });
  const patience = new AbortController();
  const run = untilGivenUp(patience.signal, () =>
    EdgeFixture.open(t, make, clause.limits).then((fixture) => clause.run(t, fixture)),
  );
  const verdict = await Promise.race([
    run.then(
      () => 'kept' as const,
      (error: Error) => error,
    ),
    late,
  ]);
  clearTimeout(timer);
  patience.abort();
  for (const teardown of judge.teardowns) await teardown();
  return verdict;
}
