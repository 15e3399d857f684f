/** One held connection as nodes and processes answer it. */
import type { SubscriberKind } from '@holdfast/grip';

/** A hold or session as an operator sees it. */
export interface ConnectionView {
  /** Of its request, as in the logs. */
  readonly id: string;
  /** Connection-Id of a session; left out for holds. */
  readonly session?: string;
  readonly kind: SubscriberKind;
  /** Explicit id of its route; left out if it has none. */
  readonly route?: string;
  /** Textual IP address at the other end of the connection; empty on a unix socket. */
  readonly client: string;
  /** When it was held or opened: ISO 8601, UTC. */
  readonly since: string;
  /** Full names. */
  readonly channels: readonly string[];
  /** Items that were sent to it. */
  readonly items: number;
  /** Bytes that it has not taken yet. */
  readonly waiting: number;
}

/**
 * Reads what a node or process answered; undefined when it has no such connection. Only what tells the one from the other
 * is looked at: the rest is shown as it came, with whatever a newer node adds.
 */
export function readConnectionView(answer: unknown): ConnectionView | undefined {
  const { id, kind } = (answer ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && typeof kind === 'string' ? (answer as ConnectionView) : undefined;
}
