/**
 * The contract of `Edge` as tests. Every implementation runs it; what is particular to one is tested beside it.
 */
import type { Test } from 'tap';
import { type Capability, type Clause, capabilities, type MakeEdge, Scene } from './clause.js';
import { abortClauses } from './clauses/abort.js';
import { answerClauses } from './clauses/answer.js';
import { bodyClauses } from './clauses/body.js';
import { connectionClauses } from './clauses/connection.js';
import { flowClauses } from './clauses/flow.js';
import { leavingClauses } from './clauses/leaving.js';
import { malformedClauses } from './clauses/malformed.js';
import { orderClauses } from './clauses/order.js';
import { requestClauses } from './clauses/request.js';

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
const CLAUSE_LIMIT_MS = 10_000;

/** An edge under test. */
export interface EdgeUnderTest {
  readonly make: MakeEdge;
  /** What it cannot do, each with the reason: the clauses that need it are skipped, and say so. */
  readonly missing?: Partial<Record<Capability, string>>;
}

/** Runs every clause on a fresh edge. Titles are `<edge>: <clause>: <what it says>`. */
export function edgeContract(t: Test, name: string, { make, missing = {} }: EdgeUnderTest): void {
  t.setTimeout(clauses.length * CLAUSE_LIMIT_MS);
  for (const clause of clauses) {
    const reason = clause.needs && missing[clause.needs];
    const skip =
      reason === undefined ? false : `${clause.needs} (${capabilities[clause.needs as Capability]}): ${reason}`;
    t.test(`${name}: ${clause.name}: ${clause.says}`, { skip, timeout: CLAUSE_LIMIT_MS }, async (t) => {
      await clause.run(t, await Scene.open(t, make, clause.limits));
    });
  }
}
