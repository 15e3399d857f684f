/** What an origin says to a handshake, and cannot be said to a client: it is answered 502, whatever the origin. */
import t from 'tap';
import type { ClientRequest } from '../../dist/edge/port.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { RequestInterner } from '../../dist/sessions/client-request.js';
import { Handshake } from '../../dist/sessions/handshake.js';
import type { OriginHandshakeOwner, OriginSocket } from '../../dist/sessions/origin-socket.js';
import type { SessionDeps, SessionOpening } from '../../dist/sessions/session-deps.js';
import { HandshakeScene } from '../edge/handshake-scene.js';
import { makeNodeEdge } from '../edge/node-edge-maker.js';
import { makeUwsEdge } from '../edge/uws-edge-maker.js';
import { answered, handshake } from '../kit/clients/raw-socket.js';

const route = toRoute(parseRouteLine('* 127.0.0.1:1', 1) as RouteLine, () => undefined);

const says: readonly (readonly [what: string, say: (owner: OriginHandshakeOwner) => void])[] = [
  ['accepts with a field that would be two', (owner) => owner.originAccepted(['X-A', 'a\r\nSet-Cookie: evil=1'])],
  ['accepts with a field above U+00FF', (owner) => owner.originAccepted(['X-A', 'a\u010d\u010aSet-Cookie: evil=1'])],
  [
    'refuses with a reason that would be two lines',
    (owner) => owner.originRejected({ status: 403, reason: 'a\r\nSet-Cookie: evil=1', headers: [] }, Buffer.from('no')),
  ],
  [
    'refuses with a reason above U+00FF',
    (owner) =>
      owner.originRejected({ status: 403, reason: '\u010d\u010aSet-Cookie: evil=1', headers: [] }, Buffer.from('no')),
  ],
  [
    'refuses with status 42',
    (owner) => owner.originRejected({ status: 42, reason: '', headers: [] }, Buffer.from('no')),
  ],
  [
    'refuses with status 101',
    (owner) => owner.originRejected({ status: 101, reason: '', headers: [] }, Buffer.from('no')),
  ],
];

for (const [edge, make] of [
  ['node', makeNodeEdge],
  ['uws', makeUwsEdge],
] as const) {
  for (const [what, say] of says) {
    t.test(`${edge}: an origin ${what}`, async (t) => {
      const scene = await HandshakeScene.open(t, { make });
      const client = await scene.send(handshake());
      const taken = await scene.next();
      const opened: SessionOpening[] = [];
      let aborted = 0;
      const parts = {
        dial: (_dial: unknown, _target: unknown, owner: OriginHandshakeOwner) => {
          queueMicrotask(() => say(owner));
          return { abort: () => void aborted++ } as unknown as OriginSocket;
        },
        requests: new RequestInterner(),
        events: { sessionOpened: (opening: SessionOpening) => void opened.push(opening) },
        subscriber: { clock: scene.clock },
        debug: false,
      } as unknown as SessionDeps;
      const trust = { secure: false, trusted: false };
      new Handshake(taken.request as ClientRequest, taken.handshake, route, trust, parts).start();
      const { answer } = await answered(client);
      t.strictSame([answer.status, answer.reason, answer.header('set-cookie')], [502, 'Bad Gateway', undefined]);
      t.equal(answer.body.toString(), 'Error while proxying to origin.\n');
      t.match(opened, [{ status: 502, error: 'ERR_EDGE_HEAD' }]);
      t.equal(opened.length, 1);
      t.equal(aborted, what.startsWith('accepts') ? 1 : 0, 'an origin that has accepted is told');
    });
  }
}
