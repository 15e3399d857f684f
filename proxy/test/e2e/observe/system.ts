/**
 * Two nodes with a Redis between them and an origin behind, such as a board is drawn of: one with workers and TLS, one with the
 * other edge; both keep their ports when they are started again.
 */

import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeWsEvents, parseWsEvents } from '@holdfast/grip';
import type { Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { type Holdfast, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, type Seen, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { deadPort, freePort } from '../../kit/ports.js';
import { type RedisServer, startRedis } from '../../kit/redis.js';

/** What each node of a system has of its own. */
interface Place {
  readonly directory: string;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** An origin's time for an answer that is not held, in ms: mostly short, now and then long. */
const originTime = (): number => (Math.random() < 0.05 ? 120 : 3) * (1 + Math.random());

/** `/stream`, `/raw` (no events), `/poll`, `/checked` (each item by a filter's server) and, over HTTP, `/ws`: held on the channel behind it. */
function answerer(deadTarget: string) {
  return (request: IncomingMessage, response: ServerResponse, seen: Seen): void => {
    const [, kind = '', channel = ''] = (request.url ?? '').split('/');
    if (kind === 'stream') {
      response.writeHead(200, streamHold(channel, { 'Content-Type': 'text/event-stream' })).end('retry: 5\n\n');
    } else if (kind === 'raw') response.writeHead(200, streamHold(channel)).end('open\n');
    else if (kind === 'poll') response.writeHead(200, responseHold(channel, { 'Grip-Timeout': '4' })).end('nothing\n');
    else if (kind === 'checked') {
      const meta = { 'Grip-Set-Meta': `url="http://${deadTarget}/check"` };
      response.writeHead(200, streamHold(`${channel}; filter=http-check`, meta)).end('open\n');
    } else if (kind === 'ws') request.on('end', () => answerSession(seen.body, channel, response));
    else if (kind === 'break') request.socket.destroy();
    else void delay(originTime()).then(() => response.end(JSON.stringify({ url: request.url, news: 'x'.repeat(400) })));
  };
}

function answerSession(body: string, channel: string, response: ServerResponse): void {
  const opens = parseWsEvents(Buffer.from(body)).some(({ type }) => type === 'OPEN');
  const content = Buffer.from(`c:${JSON.stringify({ type: 'subscribe', channel })}`);
  response.writeHead(200, { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' });
  response.end(encodeWsEvents(opens ? [{ type: 'OPEN' }, { type: 'TEXT', content }] : []));
}

/** Bytes that may wait for a client: few, so that one that stops reading shows soon. */
const QUEUE = 65_536;

/** The running system. */
export class System {
  readonly #t: Test;
  readonly #places: readonly Place[];
  readonly #routes: string;
  readonly redis: RedisServer;
  readonly nodes: Holdfast[] = [];

  private constructor(t: Test, redis: RedisServer, places: readonly Place[], routes: string) {
    this.#t = t;
    this.redis = redis;
    this.#places = places;
    this.#routes = routes;
  }

  /** Starts all of it; it ends with the test. Nodes take `shutdown` seconds for each of the two steps of a drain. */
  static async start(t: Test, { shutdown }: { readonly shutdown: number }): Promise<System> {
    const redis = await startRedis(t);
    const dead = `127.0.0.1:${await deadPort()}`;
    const { target } = await startOrigin(t, answerer(dead));
    const lines = [
      `*,id=chat,proto=ws ${target},over_http`,
      `*,id=limited,path_beg=/limited,limit_rate=1/h:1 ${target}`,
      `*,id=reports,path_beg=/reports ${dead}`,
      `*,id=app ${target}`,
    ];
    const common = {
      redis_url: redis.url,
      resume_key: 'the same on both',
      history_replay: true,
      message_wait: 200,
      client_queue_size: QUEUE,
      client_half_close_grace: 0,
      shutdown_delay: shutdown,
      shutdown_window: shutdown,
      shutdown_requests: 2,
      log_format: 'json',
    };
    const place = async (http: (port: number) => string, own: Place['settings']): Promise<Place> => ({
      directory: newDirectory(t),
      settings: {
        ...common,
        http_port: http(await freePort()),
        push_in_http_port: await freePort(),
        admin_port: `127.0.0.1:${await freePort()}`,
        ...own,
      },
    });
    const certificates = newDirectory(t);
    makeCertificate({ directory: certificates, base: 'news.example', names: ['DNS:news.example'] });
    const tls = { https_ports: '127.0.0.1:0', tls_certs_dir: certificates };
    // The second listener is for a balancer that is not there: it turns everybody away.
    const balanced = '127.0.0.1:0?proxy_protocol=v2&from=192.0.2.1';
    const places = [
      await place((port) => `127.0.0.1:${port},${balanced}`, {
        ...tls,
        edge: 'node',
        workers: 2,
        slow_client_policy: 'close',
      }),
      await place((port) => `127.0.0.1:${port}`, { edge: 'uws', slow_client_policy: 'drop' }),
    ];
    const system = new System(t, redis, places, `${lines.join('\n')}\n`);
    await Promise.all(places.map((_, n) => system.startNode(n)));
    return system;
  }

  /** Starts a node, again where it has ended. */
  async startNode(n: number): Promise<void> {
    const { directory, settings } = this.#places[n] as Place;
    this.writeRoutes(n, true);
    const routesfile = join(directory, 'routes');
    this.nodes[n] = await startHoldfast(this.#t, { directory, settings: { ...settings, routesfile } });
  }

  /** The one that has workers. */
  get first(): Holdfast {
    return this.nodes[0] as Holdfast;
  }

  get second(): Holdfast {
    return this.nodes[1] as Holdfast;
  }

  /** Any node that runs. */
  get any(): Holdfast {
    const running = this.nodes.filter(({ child }) => child.running);
    return running[Math.floor(Math.random() * running.length)] ?? this.first;
  }

  /** `host:port` of the listener of the first node that takes nobody. */
  get refusing(): string {
    const found = [...this.first.child.stdout.matchAll(/listening on http:\/\/(\S+) \(clients\)/g)];
    return found[1]?.[1] ?? '';
  }

  /** Writes the routes of a node, or a file that cannot be loaded. */
  writeRoutes(n: number, good: boolean): void {
    writeFileSync(join((this.#places[n] as Place).directory, 'routes'), good ? this.#routes : '* test,channels\n');
  }

  /** For Prometheus. */
  get targets(): Record<string, string> {
    return Object.fromEntries(this.nodes.map((node, n) => [`node-${n + 1}`, new URL(node.url('admin')).host]));
  }
}
