/**
 * A real control API and a real PULL socket, with what was published through them; and the publish commands as child
 * processes.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  ControlServer,
  LocalBackplane,
  noPublishEvents,
  Publisher,
  silentLog,
  ZeroMqSockets,
} from '@holdfast/control-api';
import { type Item, itemToJson } from '@holdfast/grip';
import type { Test } from 'tap';
import { realClock } from '../../../dist/runtime/clock.js';
import { commandFile, root, startChild } from '../../kit/child.js';
import { until } from '../../kit/until.js';

/** Our command under Pushpin's name: the way into `holdfast publish` that needs no other part of the proxy. */
export const ours = commandFile('pushpin-publish');

const installed = '/usr/bin/pushpin-publish';
const unpacked = join(root, 'node_modules', '.cache', 'debian', installed);

/**
 * Debian's: installed, or unpacked by the set-up of the tests. By its path, since our own stands under the same name on the
 * PATH of npm scripts.
 */
export const debians = existsSync(installed) ? installed : unpacked;

/** For tests that need Debian's command: the reason to skip, or false. */
export const withoutDebians = existsSync(debians) ? false : `${installed} (Debian package pushpin) is not there`;

/** Where to publish, and what came. */
export interface PublishFixture {
  readonly http: string;
  readonly zeromq: string;
  /** Items in JSON, in the order of their coming; each is taken once. */
  next(): Promise<unknown>;
  /** Authorization headers cannot be seen here: the control API ignores them, as Pushpin's does. */
  readonly items: readonly Item[];
}

/** Opens both ways in; channels are of no account, as this node wants the channel `c`. */
export async function startPublishFixture(t: Test): Promise<PublishFixture> {
  const items: Item[] = [];
  const backplane = new LocalBackplane(silentLog);
  await backplane.start({
    onMessage: (message) => {
      if (message.type === 'item') items.push(message.item);
    },
    onGap() {},
  });
  await backplane.subscribe('c');
  const publisher = new Publisher({ backplane, countSubscribers: () => 0, events: noPublishEvents, log: silentLog });
  const limits = { pushInHttpMaxHeadersSize: 10_000, pushInHttpMaxBodySize: 1_000_000 };
  const parts = { publisher, events: noPublishEvents, log: silentLog, clock: realClock };
  const server = new ControlServer({ host: '127.0.0.1', port: 0, ...limits, ...parts });
  const { port } = await server.listen();
  const specs = {
    pushInSpec: 'tcp://127.0.0.1:*',
    pushInSubSpecs: [],
    pushInSubConnect: false,
    commandSpec: undefined,
    statsSpec: undefined,
  };
  const connections = { connected: () => [], refresh: () => false };
  const sockets = new ZeroMqSockets({ specs, connections, ...parts });
  const [pull] = await sockets.open();
  t.teardown(() => {
    sockets.close();
    return server.close();
  });
  let taken = 0;
  return {
    http: `http://127.0.0.1:${port}`,
    zeromq: pull?.uri ?? '',
    items,
    next: async () => {
      const item = await until('an item', () => items[taken]);
      taken++;
      return itemToJson(item);
    },
  };
}

/** Runs a publish command to its end. */
export function publish(t: Test, command: string, args: readonly string[], env: Record<string, string> = {}) {
  return command.endsWith('.js') ? run(t, process.execPath, [command, ...args], env) : run(t, command, args, env);
}

async function run(t: Test, command: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = startChild(t, { command, args, env: { GRIP_URL: '', ...env } });
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/**
 * Runs our command for each of these lines, one after the other in one process, since starting one for each is what takes
 * the time: its file is loaded again for each, and reads the line as its arguments. The result is that of all of them.
 */
export function publishEach(t: Test, lines: readonly (readonly string[])[]) {
  const program = `
    const [, file, lines] = process.argv;
    // The file ignores a signal each time that it is loaded.
    process.setMaxListeners(0);
    for (const [i, line] of JSON.parse(lines).entries()) {
      process.argv = [process.execPath, file, ...line];
      await import(file + '?' + i);
    }`;
  return run(t, process.execPath, ['--input-type=module', '--eval', program, '--', ours, JSON.stringify(lines)]);
}
