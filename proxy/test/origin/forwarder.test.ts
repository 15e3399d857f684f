import { parseSigKey, type SigKey, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { Forwarder } from '../../dist/origin/forwarder.js';
import { GripHeaders } from '../../dist/origin/grip-headers.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { Target } from '../../dist/routes/target.js';
import { ManualClock } from '../kit/manual-clock.js';
import { NO_RULES } from './forward-rules.js';

const NOW = 1_700_000_000;
const key = (text: string) => parseSigKey(text, () => Buffer.alloc(0)) as SigKey;

const forwarder = new Forwarder(
  {
    rules: NO_RULES,
    sigIss: 'everywhere',
    sigKey: key('the global secret'),
  },
  new GripHeaders(new ManualClock(0, NOW * 1_000)),
);

/** The Grip-Sig that the origin of a route with these properties gets. */
function signature(properties: string, trusted = false): string | undefined {
  const route = toRoute(parseRouteLine(`*${properties} 127.0.0.1:1`, 1) as RouteLine, (text) => key(text));
  const request = { path: '/', host: 'a.example', headers: [], clientAddress: '127.0.0.1' };
  const { headers } = forwarder.forward(request, route, { secure: false, trusted }, route.targets[0] as Target);
  const at = headers.indexOf('Grip-Sig');
  return at === -1 ? undefined : headers[at + 1];
}

function issuer(token: string): unknown {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iss: unknown };
  return claims.iss;
}

t.test('a route’s sig_iss and sig_key go before the global ones, each by itself', async (t) => {
  const signed: [properties: string, iss: string, secret: string][] = [
    ['', 'everywhere', 'the global secret'],
    [',sig_iss=here', 'here', 'the global secret'],
    [',sig_key=own', 'everywhere', 'own'],
    [',sig_iss=here,sig_key=own', 'here', 'own'],
  ];
  for (const [properties, iss, secret] of signed) {
    const token = signature(properties) ?? '';
    t.equal(issuer(token), iss, `*${properties}`);
    t.equal(verifyGripSig(token, key(secret), NOW), true, `*${properties} is signed with '${secret}'`);
    for (const other of ['the global secret', 'own'].filter((text) => text !== secret)) {
      t.equal(verifyGripSig(token, key(other), NOW), false, `*${properties} is not signed with '${other}'`);
    }
  }
});

t.test('nothing is signed for an origin that gets no Grip fields', async (t) => {
  t.equal(signature(',no_grip,sig_key=own'), undefined);
  t.equal(signature(',sig_key=own', true), undefined, 'a client that is a GRIP proxy itself');
});
