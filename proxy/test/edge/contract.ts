/**
 * The contract of `Edge` as tests. Every implementation runs it; what is particular to one is tested beside it.
 */
import type { Test } from 'tap';
import { type Clause, EdgeFixture, type MakeEdge } from './clause.js';
import { abortClauses } from './clauses/abort.js';
import { answerClauses } from './clauses/answer.js';
import { bodyClauses } from './clauses/body.js';
import { connectionClauses } from './clauses/connection.js';
import { flowClauses } from './clauses/flow.js';
import { leavingClauses } from './clauses/leaving.js';
import { malformedClauses } from './clauses/malformed.js';
import { orderClauses } from './clauses/order.js';
import { requestClauses } from './clauses/request.js';
import { tryClause } from './verdict.js';

/** Every clause, in the order in which they are tried. Names are unique. */
export const clauses: readonly Clause[] = [
  ...requestClauses,
  ...bodyClauses,
  ...answerClauses,
  ...orderClauses,
  ...flowClauses,
  ...abortClauses,
  ...leavingClauses,
  ...connectionClauses,
  ...malformedClauses,
];

/** A clause that waits for what never comes ends here, so that the others are still tried. */
const CLAUSE_LIMIT_MS = 40_000;

/** After so long a clause that is not expected to be kept counts as not kept. */
const LIMIT_MS = 1_500;

/** So many of those are tried at a time: most of them wait for what does not come. */
const AT_ONCE = 8;

/** So often is one of those tried: some hang on what the kernel makes of a connection that is cut, and are kept now and then. */
const TRIES = 5;

/** Something that an edge cannot do. */
export interface EdgeLimit {
  /** In the words of its users. */
  readonly what: string;
  /** What happens instead, and why. */
  readonly why: string;
  /** The names of all clauses that are not kept because of it. */
  readonly clauses: readonly string[];
}

/** An edge under test. */
export interface EdgeUnderTest {
  readonly make: MakeEdge;
  readonly limits?: readonly EdgeLimit[];
}

/**
 * Runs every clause on a fresh edge; titles are `<edge>: <clause>: <what it says>`. Clauses that a limit names are tried too,
 * and have to fail at least once: so the list of limits stays true.
 */
export function edgeContract(t: Test, name: string, { make, limits = [] }: EdgeUnderTest): void {
  t.setTimeout(clauses.length * CLAUSE_LIMIT_MS);
  const beyond = new Map(limits.flatMap((limit) => limit.clauses.map((clause) => [clause, limit])));
  for (const clause of clauses) {
    if (beyond.delete(clause.name)) continue;
    t.test(`${name}: ${clause.name}: ${clause.says}`, { timeout: CLAUSE_LIMIT_MS }, async (t) => {
      await clause.run(t, await EdgeFixture.open(t, make, clause.limits));
    });
  }
  t.test(`${name}: limits name clauses that exist, each once`, async (t) => {
    t.strictSame([...beyond.keys()], []);
    const names = limits.flatMap((limit) => limit.clauses);
    t.equal(new Set(names).size, names.length);
  });
  for (const limit of limits) {
    t.test(`${name}: cannot: ${limit.what}`, { timeout: CLAUSE_LIMIT_MS * limit.clauses.length }, async (t) => {
      const waiting = clauses.filter((clause) => limit.clauses.includes(clause.name));
      const tryAll = async () => {
        for (let clause = waiting.shift(); clause !== undefined; clause = waiting.shift()) {
          t.notOk(await alwaysKept(clause, make), `${clause.name} is not always kept`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, tryAll));
    });
  }
}

async function alwaysKept(clause: Clause, make: MakeEdge): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    if ((await tryClause(clause, make, LIMIT_MS)) !== 'kept') return false;
  }
  return true;
}
