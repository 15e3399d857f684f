/** An origin that says who its clients are, clients of it, and what is published of their coming and going. */
import type { Test } from 'tap';
import { type Answer, open } from './clients/http-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from './holdfast.js';
import { responseHold, startOrigin, streamHold } from './origins/origin.js';
import { until } from './until.js';
import { view } from './views-fixture.js';

/** One join or leave, as it was published. */
interface Change {
  readonly user: string;
  readonly info?: string;
  readonly seq: number;
}

/** What an item about joins and leaves has in it. */
export interface PresenceItem {
  readonly type: 'presence';
  readonly channel: string;
  readonly users: number;
  readonly seq: number;
  readonly join?: readonly Change[];
  readonly leave?: readonly Change[];
  readonly capped?: true;
  readonly joined?: number;
  readonly left?: number;
}

/** A WebSocket-over-HTTP answer to OPEN that subscribes to a channel; an empty one to what follows. */
function eventsFor(body: string, channel: string): string {
  if (!body.startsWith('OPEN')) return '';
  const control = `c:${JSON.stringify({ type: 'subscribe', channel })}`;
  return `OPEN\r\nTEXT ${Buffer.byteLength(control).toString(16)}\r\n${control}\r\n`;
}

/**
 * Routes of an origin that takes the channel, the user and the info from the query: with `presence_events` under `/live`, with `presence`
 * under `/list`, with neither elsewhere. `/…/stream` and `/…/poll` are held, `/…/ws` is a WebSocket over HTTP, whose user `!user NAME`
 * changes.
 */
export async function presenceRoutes(t: Test): Promise<readonly string[]> {
  const origin = await startOrigin(t, (request, response, seen) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const [channel, user, info] = ['channel', 'user', 'info'].map((name) => searchParams.get(name) ?? undefined);
    const room = channel ?? 'room';
    if (pathname.endsWith('/ws')) {
      request.on('end', () => {
        const [, becomes] = /!user (\w+)/.exec(seen.body) ?? [];
        response.writeHead(200, {
          'Content-Type': 'application/websocket-events',
          'Sec-WebSocket-Extensions': 'grip; message-prefix=""',
          ...(seen.body.startsWith('OPEN') && user !== undefined && { 'Set-Meta-User': user }),
          ...(becomes !== undefined && { 'Set-Meta-User': becomes }),
          ...(info !== undefined && { 'Set-Meta-Info': info }),
        });
        response.end(eventsFor(seen.body, room));
      });
      return;
    }
    const meta = Object.entries({ user, info }).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}="${value}"`,
    );
    const headers: Record<string, string> = meta.length === 0 ? {} : { 'Grip-Set-Meta': meta.join(', ') };
    if (pathname.endsWith('/poll')) response.writeHead(200, responseHold(room, headers)).end('nothing new\n');
    else response.writeHead(200, streamHold(room, headers)).end('opened\n');
  });
  return [
    `*,path_beg=/live,presence_events ${origin.target},over_http`,
    `*,path_beg=/list,presence ${origin.target},over_http`,
    `* ${origin.target},over_http`,
  ];
}

/** A node with these routes. */
export function startPresence(
  t: Test,
  routes: readonly string[],
  settings: HoldfastOptions['settings'] = {},
  directory?: string,
): Promise<Holdfast> {
  return startHoldfast(t, {
    routes,
    settings: { presence_delay: 1, client_half_close_grace: 0, ...settings },
    ...(directory !== undefined && { directory }),
  });
}

/** Opens a stream on this path of a node; it is subscribed when this resolves. */
export async function stream(t: Test, holdfast: Holdfast, path: string): Promise<Answer> {
  const answer = await open(t, `${holdfast.clients}${path}`);
  await answer.until('opened\n');
  return answer;
}

/** What has been published of a channel to this stream, which is on its `$presence`. */
export function itemsOf({ text }: Answer): PresenceItem[] {
  const lines = text.slice('opened\n'.length).split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as PresenceItem);
}

/** The same in short and in order: `+user` and `-user`. */
export function changesOf(answer: Answer): string[] {
  const changes = itemsOf(answer).flatMap(({ join = [], leave = [] }) => [
    ...join.map(({ user, seq }) => ({ text: `+${user}`, seq })),
    ...leave.map(({ user, seq }) => ({ text: `-${user}`, seq })),
  ]);
  return changes.sort((one, other) => one.seq - other.seq).map(({ text }) => text);
}

/** Waits until this is what was published last. */
export async function lastChange(answer: Answer, change: string): Promise<void> {
  await until(
    `the change ${change}`,
    () => changesOf(answer).at(-1) === change,
    () => answer.text,
  );
}

/** The names of the members of a channel, as a node lists them. */
export async function membersOf(t: Test, holdfast: Holdfast, channel: string): Promise<string[]> {
  const { members } = (await view(t, holdfast, `/channels/${channel}/members`)).body as {
    members: readonly { user: string }[];
  };
  return members.map(({ user }) => user);
}
