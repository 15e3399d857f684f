/** What cases are played on: a node under test, its hostile origin, a good one beside it, ZeroMQ sockets, a Redis. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EchoOrigin, listen } from '../kit/origins/echo-origin.js';
import { freePort } from '../kit/ports.js';
import { HostileOrigin, SIG_KEY } from './hostile-origin.js';
import type { Fixture, Kind } from './kind.js';
import { PUBLIC, TOKEN_KEY } from './kinds/subscribers.js';
import { type EdgeName, NodeUnderTest } from './node-under-test.js';

/** Time limits so low that every one of them is met within a case. */
const SETTINGS = {
  sig_key: SIG_KEY,
  client_header_timeout: 1,
  client_keep_alive_timeout: 2,
  client_half_close_grace: '200ms',
  origin_timeout: 1,
  origin_connect_timeout: 1,
  message_wait: 200,
  subscription_linger: 0,
  client_queue_size: 65_536,
  websocket_message_max: 200_000,
  allow_compression: true,
  // What is sent again is a case of its own, and no case is the double of another.
  id_cache_ttl: 1,
  callbacks: true,
  callbacks_allow: '127.0.0.0/8',
};

const routesTo = (hostile: string, good: string, direct: string, events: string) => [
  `*,id=hostile,path_beg=/f/ ${hostile}`,
  `*,id=open,path_beg=/a/,aco ${hostile}`,
  `*,id=kept,path_beg=/h/,history,resume ${hostile}`,
  `*,id=events,path_beg=/o/ ${hostile},over_http`,
  `*,id=sockjs,path_beg=/s/,sockjs=/s/ ${hostile}`,
  `*,id=sockjs-events,path_beg=/e/,sockjs=/e/ ${hostile},over_http`,
  `*,id=sub,path_beg=/sub,history subscribe,token_key=${TOKEN_KEY},public_channels=${PUBLIC},allow_origin=https://app.example.com`,
  `*,path_beg=/good/ws ${direct}`,
  `*,path_beg=/good/events ${events},over_http`,
  `*,path_beg=/good/ ${good}`,
  '* test',
];

/** A fixture with what has to be ended behind it. */
export interface OpenFixture extends Fixture {
  /** The routes of the node. */
  readonly routes: readonly string[];
  close(): Promise<void>;
}

/** How a fixture differs from the usual. */
export interface FixtureOptions {
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Open files that the node may have. */
  readonly files?: number;
  /** Routes come from a file, so that they can be reloaded. */
  readonly inFile?: boolean;
}

/** An origin of holds for clients that are known to be right. The channel is the last part of the path. */
function startGoodOrigin(): Promise<Server> {
  const server = createServer((request, response) => {
    const [, , form = '', channel = ''] = (request.url ?? '').split('/');
    const hold = { 'Grip-Hold': form, 'Grip-Channel': channel, 'Grip-Timeout': '600' };
    response.setHeader('Content-Type', 'text/plain');
    if (form === 'relay') response.setHeader('X-Good', channel).end(`relay of ${channel}\n`);
    else response.writeHead(200, hold).end('[opened]\n');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** A Redis that keeps nothing. */
async function startRedis(): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  process.once('exit', () => child.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('exit', () => reject(new Error('redis-server does not start')));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Ready to accept connections')) resolve();
    });
  });
  return { url: `redis://127.0.0.1:${port}`, child };
}

/** Starts everything that a kind needs. */
export async function openFixture(
  edge: EdgeName,
  needs: Kind['fixture'],
  { settings: more = {}, files, inFile = false }: FixtureOptions = {},
): Promise<OpenFixture> {
  const closers: (() => unknown)[] = [];
  const origin = await HostileOrigin.start();
  closers.push(() => origin.close());
  const good = await startGoodOrigin();
  closers.push(() => {
    good.close();
    good.closeAllConnections();
  });
  const echoes: EchoOrigin[] = [];
  for (const form of ['direct', 'over-http'] as const) echoes.push(await listen(form, { note: () => {} }));
  closers.push(() => {
    for (const echo of echoes) echo.close();
  });
  const addresses: Record<string, string> = {};
  const settings: Record<string, string | number | boolean> = { ...SETTINGS, ...more };
  if (needs === 'zeromq') {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-hardening-'));
    closers.push(() => rmSync(directory, { recursive: true, force: true }));
    for (const name of ['pull', 'sub', 'command', 'stats']) addresses[name] = `ipc://${join(directory, name)}`;
    const { pull = '', sub = '', command = '', stats = '' } = addresses;
    Object.assign(settings, { push_in_spec: pull, push_in_sub_specs: sub, command_spec: command, stats_spec: stats });
  }
  if (needs === 'redis') {
    const { url, child } = await startRedis();
    addresses.redis = url;
    settings.redis_url = url;
    closers.push(() => child.kill('SIGKILL'));
  }
  const target = `127.0.0.1:${(good.address() as AddressInfo).port}`;
  const [direct, events] = echoes.map((echo) => echo.target) as [string, string];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const routes = routesTo(origin.target, target, direct, events);
    const node = await NodeUnderTest.start({
      edge,
      routes,
      settings,
      ...(files && { openFiles: files }),
      routesInFile: inFile,
    });
    closers.push(() => node.stop());
    return { edge, node, origin, addresses, routes, close };
  } catch (error) {
    await close();
    throw error;
  }
}
