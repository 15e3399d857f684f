/** The instruct of the `subscribe` target. */
import { Revocations, silentLog, uncontained } from '@holdfast/control-api';
import { parseInstructJson, type ResponseHead, readJwtKey } from '@holdfast/grip';
import t from 'tap';
import { SubscribeOrigin } from '../../dist/direct/subscribe-origin.js';
import { TokenVerifier } from '../../dist/direct/token-verifier.js';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { SubscribeTarget } from '../../dist/routes/subscribe-target.js';
import { ManualClock } from '../kit/manual-clock.js';

const KEY = 'the-key-of-subscribers-0123';

/** What is answered to this path, and to these fields. */
function ask(
  path: string,
  headers: string[],
  clock: ManualClock,
  revocations = new Revocations(clock),
): Promise<{ head: ResponseHead; body: Buffer }> {
  const route: Route = toRoute(parseRouteLine(`* subscribe,token_key=${KEY}`, 1) as RouteLine, () => undefined);
  const routes = () => new RouteTable([route]);
  const verifier = new TokenVerifier({ clock, log: silentLog, routes, revocations, tokenLifetimeMax: 86_400_000 });
  const place = { target: route.targets[0] as SubscribeTarget, route, verifier, channelsMax: 10 };
  const origin = new SubscribeOrigin(place, uncontained);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    origin.dispatch(
      { method: 'GET', path, headers: ['Host', 'a', ...headers], body: null },
      {
        onInformation: () => {},
        onError: reject,
        onHead: (head) => ({
          onData: (chunk) => {
            chunks.push(chunk);
            return true;
          },
          onEnd: () => resolve({ head, body: Buffer.concat(chunks) }),
          onError: reject,
        }),
      },
    );
  });
}

const bearer = (claims: object) => ['Authorization', `Bearer ${readJwtKey(KEY).sign(claims)}`];

t.test('the instruct has the user and the end of the token', async (t) => {
  const clock = new ManualClock();
  const now = Math.floor(clock.wall() / 1_000);
  const claims = { sub: 'zoë', channels: ['*'], exp: now + 60 };
  const { head, body } = await ask('/?channel=a,b&channel=%22;c', bearer(claims), clock);
  const { hold, meta, response } = parseInstructJson(head, body);
  t.strictSame(
    hold?.channels.map(({ name }) => name),
    ['a,b', '";c'],
  );
  t.equal(hold?.mode, 'stream');
  t.equal(hold?.keepAlive?.timeout, 25);
  t.match(meta, { user: 'zoë', 'token-iat': '0' });
  t.equal(response.code, 200);
  t.strictSame(hold?.expires, { date: (now + 60) * 1_000 });
  const never = await ask('/?channel=a', bearer({ ...claims, expire_at: 0 }), clock);
  t.equal(parseInstructJson(never.head, never.body).hold?.expires, undefined);
});

t.test('a token counts up to its exp, and is asked for anew from then on', async (t) => {
  const clock = new ManualClock();
  const now = Math.floor(clock.wall() / 1_000);
  const field = bearer({ channels: ['a'], exp: now + 60 });
  t.equal((await ask('/?channel=a', field, clock)).head.status, 200);
  const long = bearer({ channels: ['a'], exp: now + 60, more: 'x'.repeat(8_192) });
  t.equal((await ask('/?channel=a', long, clock)).head.status, 401);
  clock.advance(60_000);
  t.equal((await ask('/?channel=a', field, clock)).head.status, 401);
});

t.test('a token that lives too long, or is revoked, does not count', async (t) => {
  const clock = new ManualClock();
  const now = Math.floor(clock.wall() / 1_000);
  const claims = { sub: 'u', channels: ['a'], exp: now + 60 };
  const revocations = new Revocations(clock);
  const status = async (more: object) => {
    const { head } = await ask('/?channel=a', bearer({ ...claims, ...more }), clock, revocations);
    return head.status;
  };
  t.equal(await status({ exp: now + 86_401 }), 401);
  t.equal(await status({ exp: now + 86_400 }), 200);
  revocations.add({ sub: 'u', before: now, until: clock.wall() + 1_000 });
  t.equal(await status({}), 401, 'without iat');
  t.equal(await status({ iat: now - 1 }), 401);
  t.equal(await status({ iat: now }), 200);
  t.equal(await status({ sub: 'v' }), 200);
  clock.advance(1_000);
  t.equal(await status({ iat: now - 1 }), 200, 'a revocation ends');
});
