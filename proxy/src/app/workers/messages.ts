/** What primary and worker send each other beside the messages of the backplane, and a worker's share of the configuration. */
import type { Config } from '../../config/config.js';

/** What a worker is started with: the primary's answer to `init`. */
export interface WorkerInit {
  /** Its share of the node's limits included. */
  readonly config: Config;
  /** Unique among all workers of this primary; not used again after a restart. */
  readonly number: number;
  /** What the ids of its requests begin with. */
  readonly instance: string;
  /** Whether the backplane keeps history. */
  readonly history: boolean;
  /** Types of statistics packets that are wanted. */
  readonly wants: readonly string[];
}

/** Why a worker cannot serve: a code, if it is one that operators know, and a line. */
export interface WorkerFailure {
  readonly code: string | undefined;
  readonly message: string;
}

/** The part of a limit of the node that each of so many workers gets; at least 1, and Infinity stays. */
const part = (limit: number, workers: number): number => Math.max(1, Math.ceil(limit / workers));

/** The configuration of each of so many workers: limits that count for the whole node are divided among them. */
export function workerConfig(config: Config, workers: number): Config {
  return {
    ...config,
    // The control API is the primary's.
    controlKey: undefined,
    clientMaxconn: part(config.clientMaxconn, workers),
    maxOpenRequests: part(config.maxOpenRequests, workers),
    messageRate: config.messageRate / workers,
    messageHwm: part(config.messageHwm, workers),
  };
}
