/** The port between the control plane and what serves the clients of a node. */
import type { Connections, Question } from '@holdfast/control-api';
import type { Item } from '@holdfast/grip';
import type { Exposition, Readiness } from '../admin/server.js';
import type { Drainable } from './drain/node-drain.js';

/** What serves the clients of a node: the data plane of this process, or workers. */
export interface Serving extends Drainable {
  /** Begins to serve; resolves with the URLs of the client listeners. After a rejection it must still be stopped. */
  start(): Promise<readonly string[]>;
  /** Reads the routes file again, and opens log files of its own anew. */
  reload(): void;
  /** Drains, and closes everything; see `DataPlane.stop`. */
  stop(): Promise<void>;
  /** Calls `publish` when all interest that was declared before this call has reached the hub, in the order of the calls. */
  behindInterest<Done>(publish: () => Promise<Done>): Promise<Done>;
  /** Undefined where it is not known at once. */
  countSubscribers(channel: string): number | undefined;
  /** Whether one of these takes a format of the item; true where that is not known at once. */
  mayTake(item: Item): boolean;
  readonly connections: Connections;
  /** How many processes serve clients at the moment. */
  readonly workers: number;
  /** The series of all processes. */
  readonly exposition: Exposition;
  readonly readiness: Readiness;
  /** Other types of statistics packets than before are wanted. */
  wantsChanged(): void;
  /** What they answer to a question that some node asked all nodes: one answer for each process. */
  answers(question: Question): Promise<readonly unknown[]>;
}
