/** What the answers of the uws edge share, and what those are to it that wait for their clients. */
import type { Containment } from '@holdfast/control-api';
import type { Clock } from '../../runtime/clock.js';
import type { FlushQueue } from '../../runtime/flush-queue.js';
import type { WriteWatch } from '../write-watch.js';
import type { KeepAliveTicker } from './body.js';

/** What an answer needs of its edge and its listener. */
export interface UwsResponseDeps {
  readonly clock: Clock;
  readonly flushes: FlushQueue;
  readonly ticker: KeepAliveTicker;
  readonly writes: WriteWatch<StalledAnswer>;
  readonly faults: Containment;
  /** Whether connections are to close after their present answer. */
  readonly closesAfterAnswers: boolean;
  /** Whether connections are encrypted. */
  readonly secure: boolean;
  /** Whether they are to a unix socket. */
  readonly isLocal: boolean;
  /** An answer is complete or broken off, or its client has gone; called once for each. */
  answered(): void;
}

/** An answer that may wait for its client. */
export interface StalledAnswer {
  /** Differs once the client has taken something; undefined where nothing waits for it. */
  readonly progress: string | undefined;
  /** Cuts its client, which counts as gone; returns the address. */
  cutStalled(): string;
}
