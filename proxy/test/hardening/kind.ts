/** What a kind of case is, and what a case may use. */
import type { HostileOrigin } from './hostile-origin.js';
import type { EdgeName, NodeUnderTest } from './node-under-test.js';
import type { Random } from './random.js';

/** What cases are played on. */
export interface Fixture {
  readonly edge: EdgeName;
  readonly node: NodeUnderTest;
  readonly origin: HostileOrigin;
  /** Addresses of what else a node may listen to, by name: `pull`, `sub`, `command`, `redis`. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** One case: made whole before it is played, so that it can be shown. */
export interface Case {
  /** What is sent, in full as far as it is short. */
  readonly text: string;
  /** Plays it; resolves with what must not be. */
  play(fixture: Fixture): Promise<readonly string[]>;
}

/** A kind of input. */
export interface Kind {
  readonly name: string;
  /** Which of the fixtures it needs; `plain` when absent. */
  readonly fixture?: 'zeromq' | 'redis';
  /** Lines of the log that tell an operator of exactly this input, and are no fault. */
  readonly expected?: RegExp;
  /** Cases that are played at the same time; 12 when absent. */
  readonly together?: number;
  /** Makes a case. `token` stands for it in paths and channels. */
  make(random: Random, token: string): Case;
}
