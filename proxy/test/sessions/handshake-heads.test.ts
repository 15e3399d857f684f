/** What an origin says to a handshake, and cannot be said to a client: it is answered 502, whatever the origin. */
import t from 'tap';
import type { OriginHandshakeOwner, OriginSocket } from '../../dist/sessions/origin-socket.js';
import { startApp } from '../kit/app.js';
import { RawSocket } from '../kit/clients/raw-socket.js';

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

for (const edge of ['node', 'uws']) {
  for (const [what, say] of says) {
    t.test(`${edge}: an origin ${what}`, async (t) => {
      const app = await startApp(t, { routes: ['* 127.0.0.1:1'], settings: { edge } });
      let aborted = 0;
      const dial = (_dial: unknown, _target: unknown, owner: OriginHandshakeOwner) => {
        queueMicrotask(() => say(owner));
        return { abort: () => void aborted++ } as unknown as OriginSocket;
      };
      Object.assign(app.parts.requests.sessions, { dial });
      const { answer } = await RawSocket.ask(t, app.port);
      t.strictSame([answer.status, answer.reason, answer.header('set-cookie')], [502, 'Bad Gateway', undefined]);
      t.equal(answer.body.toString(), 'Error while proxying to origin.\n');
      t.match(await app.end(1), { status: 502, error: 'ERR_EDGE_HEAD' });
      t.equal(app.requests.length, 1);
      t.equal(aborted, what.startsWith('accepts') ? 1 : 0, 'an origin that has accepted is left');
    });
  }
}
