/** What answers of the node edge are given: their connection, and what all of them share. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Containment } from '@holdfast/control-api';
import type { FlushQueue } from '../../runtime/flush-queue.js';
import type { DirectWrites } from '../../runtime/node-internals/socket-writes.js';
import type { WriteWatch } from '../write-watch.js';
import type { SettledHeads } from './settled-answer.js';

/** The part of a connection that answers use. */
export interface AnswerConnection {
  /** Takes node's HTTP off the socket, which stays with the answer; false where that cannot be. */
  detach(message: IncomingMessage, answer: ServerResponse): boolean;
  /** Makes this answer the last one; `unread`: more of the client may come that is not read. */
  last(unread?: boolean): void;
  /** Closes when the answer under way is complete. */
  finish(): void;
  /** The answer that was detached is written out. */
  answered(keepsAlive: boolean): void;
}

/** The collaborators that all answers of an edge share. */
export interface NodeResponseDeps {
  readonly flushes: FlushQueue;
  readonly settled: SettledHeads;
  readonly direct: DirectWrites;
  /** The sockets of answers that their clients are slow to take. */
  readonly writes: WriteWatch<Socket>;
  readonly faults: Containment;
  /** Whether each answer is the last of its connection. */
  closesAfterAnswers: boolean;
}
