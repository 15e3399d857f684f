/** A node in a program's own process: what `import { startNode } from 'holdfast'` gives. */
import { resolve } from 'node:path';
import type { PublishReceipt } from '@holdfast/control-api';
import { parseItemList } from '@holdfast/grip';
import { processesFor } from '../config/config.js';
import type { NodeOptions } from '../config/node-options.js';
import { ConfigError } from '../errors.js';
import { embeddedLog, type NodeLog } from '../telemetry/embedded-log.js';
import { createLog, type RootLog } from '../telemetry/log.js';
import { configOf } from './load-config.js';
import { HoldfastNode } from './node.js';

/** How a node is embedded. */
export interface Embedding {
  /** What relative paths in options are relative to; left out: the working directory. */
  readonly directory?: string | undefined;
  /** Gets the log lines of the node, by `log_level`; left out: they go where `logfile` says, by default to standard output. */
  readonly log?: NodeLog | undefined;
}

/** One item, as in a request to `/publish/`: docs/origins.md describes the formats. */
export interface PublishItem {
  readonly channel: string;
  readonly id?: string | undefined;
  readonly 'prev-id'?: string | undefined;
  readonly formats: {
    readonly 'http-stream'?: PublishFormat;
    readonly 'http-response'?: PublishFormat;
    readonly 'ws-message'?: PublishFormat;
    readonly 'xmpp-stanza'?: PublishFormat;
  };
  readonly meta?: Readonly<Record<string, string>> | undefined;
  readonly 'no-seq'?: boolean | undefined;
}

/** The members of a format, such as `content`, `body`, `code`, `headers` and `action`. */
export type PublishFormat = Readonly<Record<string, unknown>>;

/** URLs of the listeners of a node, by kind and in the order of the options. */
export interface NodeAddresses {
  readonly clients: readonly string[];
  readonly control: readonly string[];
  readonly admin: readonly string[];
}

/** A node that serves clients. */
export interface RunningNode {
  /** With the real ports where an option says 0. */
  readonly addresses: NodeAddresses;
  /**
   * Publishes items, all or none, with no limit but `ids_max` and `channel_name_max`; resolves with a receipt for each when the
   * backplane has accepted them. Rejects with a `GripError` for an item that cannot be used, a `ControlError` when it is not
   * accepted or the node is stopping.
   */
  publish(...items: readonly PublishItem[]): Promise<readonly PublishReceipt[]>;
  /** Reads the routes file and the keys of the control API again, and opens the log file anew. What fails is logged. */
  reload(): void;
  /**
   * Lets the clients go, and goes on serving: what `POST /drain` does. Resolves when `shutdown_delay` and `shutdown_window` are over, or
   * `resume` was called. What comes to be held afterwards ends soon, until `resume` or `stop`.
   */
  drain(): Promise<void>;
  /** Takes `drain` back. Without effect where there was none, and after `stop`. */
  resume(): void;
  /**
   * Ends held requests and streams as at their time-outs, gives requests under way `shutdown_requests`, and closes everything.
   * Called again it resolves with the first call. Nothing of the node keeps the process alive afterwards.
   */
  stop(): Promise<void>;
}

/**
 * Starts a node in this process; resolves when it serves clients. Several may run side by side, on ports of their own. It ends no
 * process and listens to no signal: that is the program's part, as is what becomes of an uncaught exception.
 * @throws ConfigError (rejects) for options that cannot be used, and for `workers` other than 1; RoutesError for a routes file
 * or key; EdgeError for a listener or an edge that cannot be had; ControlError for the listeners of publishers
 */
export async function startNode(options: NodeOptions = {}, embedding: Embedding = {}): Promise<RunningNode> {
  const directory = resolve(embedding.directory ?? '.');
  const { config, warnings, show } = configOf(options, directory, process.stdout.isTTY === true);
  if (processesFor(config) !== 1 || config.workers !== 1) {
    const message = 'workers: has to be 1 for a node in the process of a program; the holdfast command starts others';
    throw new ConfigError([{ code: 'ERR_CONFIG_CONFLICT', message, key: 'workers' }]);
  }
  const log = embedding.log === undefined ? createLog(config) : embeddedLog(embedding.log, config.logLevel);
  await log.opened;
  const addresses = { clients: [] as string[], control: [] as string[], admin: [] as string[] };
  try {
    for (const warning of warnings) log.warn({}, warning);
    const node = new HoldfastNode(config, noting(log, addresses), {}, show);
    await node.start();
    return running(node, log, addresses);
  } catch (error) {
    await log.close();
    throw error;
  }
}

function running(node: HoldfastNode, log: RootLog, addresses: NodeAddresses): RunningNode {
  let stopped: Promise<void> | undefined;
  return {
    addresses,
    publish: async (...items) => node.publish(parseItemList({ items })),
    reload: () => node.reload(),
    drain: () => node.drain(),
    resume: () => node.resume(),
    stop: () => {
      stopped ??= node.stop().finally(() => log.close());
      return stopped;
    },
  };
}

/** The log, which notes the addresses of listeners as they are announced. */
function noting(log: RootLog, addresses: Record<keyof NodeAddresses, string[]>): RootLog {
  return Object.assign(Object.create(log) as RootLog, {
    announce: (message: string, fields: { readonly listener?: string; readonly address?: string } = {}) => {
      const { listener, address } = fields;
      if (listener !== undefined && address !== undefined && Object.hasOwn(addresses, listener))
        addresses[listener as keyof NodeAddresses].push(address);
      log.announce(message, fields);
    },
  });
}
