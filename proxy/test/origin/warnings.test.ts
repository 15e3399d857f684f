/**
 * Warnings: once for each error, once for each unknown name of an origin, with a bound for those; and advice for the errors of the
 * system and of TLS, whose commonest are made for real in e2e/operation/mistakes-origin.
 */
import { CAUSE_MS, type Log, silentLog } from '@holdfast/control-api';
import { GripError } from '@holdfast/grip';
import t from 'tap';
import { blockedError, faultError, noDescriptorError, OriginError, RequestError } from '../../dist/errors.js';
import { adviceOn, OriginWarnings, rootCode, UNKNOWN_NAMES_MAX } from '../../dist/origin/warnings.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { HttpTarget } from '../../dist/routes/target.js';
import { ManualClock } from '../kit/manual-clock.js';

const routeOf = (text: string) => toRoute(parseRouteLine(text, 1) as RouteLine, () => undefined);

function fixture() {
  const lines: { level: string; fields: object; message: string }[] = [];
  const note = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  const log: Log = { ...silentLog, info: note('info'), warn: note('warn') };
  const clock = new ManualClock();
  const warnings = new OriginWarnings(log, clock, { originConnectTimeout: 10_000, originTimeout: 60_000 });
  const route = routeOf('a.example,id=shop h:80');
  return { lines, clock, warnings, where: { id: 'r1', route, target: route.targets[0] } };
}

t.test('an error is told once, though it is met where it happened and where it leads to', async (t) => {
  const { lines, warnings, where } = fixture();
  const cause = new OriginError('ERR_ORIGIN_CONNECT', 'no', 'connect', {
    cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }),
  });
  warnings.targetFailed(where, cause);
  warnings.failed(where, new OriginError('ERR_ORIGIN_CONNECT', 'Unable to connect to any targets.', 'no', { cause }));
  warnings.failed(where, cause);
  t.strictSame(lines, [
    {
      level: 'warn',
      fields: { id: 'r1', route: 'shop', target: 'h:80', code: 'ERR_ORIGIN_CONNECT', cause: 'ECONNREFUSED' },
      message: 'origin cannot be asked: connection refused: is the origin running on h:80? (ECONNREFUSED)',
    },
  ]);
});

t.test('a fault has a line of its own, and so none here', async (t) => {
  const { lines, warnings, where } = fixture();
  warnings.failed(where, faultError(new Error('x')));
  t.strictSame(lines, []);
});

t.test('causes are kept apart by kind, route and target, not by what is quoted', async (t) => {
  const { lines, warnings, where } = fixture();
  const instruct = (text: string) => new GripError('ERR_GRIP_INSTRUCT', text);
  for (let i = 0; i < 5; i++) warnings.failed(where, instruct(`no such mode 'x${i}'`));
  t.equal(lines.length, 1);
  warnings.failed(where, instruct('failed to parse Grip-Timeout'));
  warnings.failed({ ...where, route: routeOf('b.example h:80') }, instruct("no such mode 'y'"));
  t.equal(lines.length, 3);
});

t.test('what clients bring about by themselves is told at info', async (t) => {
  const { lines, warnings, where } = fixture();
  warnings.failed(where, new RequestError('ERR_REQUEST_CROSS_ORIGIN', 'Not allowed.'));
  warnings.failed(where, new RequestError('ERR_REQUEST_NO_ROUTE', 'No route for host: x'));
  t.match(lines, [{ level: 'info', message: /^request failed: Not allowed: aco_origins names/ }, { level: 'warn' }]);
});

t.test(
  'of one route UNKNOWN_NAMES_MAX names without meaning are told, each once; a route that is loaded anew begins anew',
  async (t) => {
    const { lines, clock, warnings, where } = fixture();
    for (let i = 0; i < UNKNOWN_NAMES_MAX + 10; i++) {
      warnings.filtersNamed(where, [`skip-self${i}`, `skip-self${i}`, 'skip-self']);
      warnings.instructed(where, ['Grip-Hold', 'stream'], []);
    }
    t.equal(lines.length, UNKNOWN_NAMES_MAX);
    clock.advance(CAUSE_MS);
    warnings.filtersNamed({ ...where, route: routeOf('a.example,id=shop h:80') }, ['skip-self0']);
    t.equal(lines.length, UNKNOWN_NAMES_MAX + 1);
    t.match(lines[0], {
      message: "the origin names a filter that means nothing: 'skip-self0'; did you mean skip-self?",
    });
  },
);

t.test('what an origin says begins no line of its own, and has an end', async (t) => {
  const { lines, warnings, where } = fixture();
  warnings.instructed(where, [`Grip-${'x'.repeat(9_000)}`, ''], [`a\n[ERR] forged`]);
  for (const { message } of lines) t.ok(message.length < 1_100 && !message.includes('\n'), message);
});

const patience = { originConnectTimeout: 10_000, originTimeout: 1_800_000 };
const tlsTarget = { kind: 'http', host: '::1', port: 443, ssl: true, subs: [] } as unknown as HttpTarget;

function connecting(code: string, message = 'said'): string {
  const cause = Object.assign(new Error(message), { code });
  return adviceOn(new OriginError('ERR_ORIGIN_CONNECT', message, 'connect', { cause }), tlsTarget, patience);
}

for (const [code, says] of [
  ['ECONNREFUSED', /^connection refused: is the origin running on \[::1\]:443\? \(ECONNREFUSED\)$/],
  ['ENOTFOUND', /^its name is unknown: is it spelled right in the route/],
  ['EAI_AGAIN', /^its name cannot be looked up now/],
  ['EHOSTUNREACH', /^there is no way to \[::1\]:443/],
  ['ETIMEDOUT', /^no connection within 10 s \(origin_connect_timeout\): is \[::1\]:443 right/],
  ['UND_ERR_CONNECT_TIMEOUT', /^no connection within 10 s \(origin_connect_timeout\)/],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    /^its certificate is not trusted: .*NODE_EXTRA_CA_CERTS .*\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  ],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /^its certificate is not trusted: /],
  ['CERT_HAS_EXPIRED', /^its certificate has expired/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /^its certificate is for other names: .*host= .*trust_connect_host/],
  ['EPROTO', /remove ssl from the target \(EPROTO\)$/],
  ['ESOMETHING', /^said$/],
] as const) {
  t.test(code, async (t) => t.match(connecting(code), says));
}

t.test('a WebSocket that does not connect in time', async (t) => {
  const error = new OriginError('ERR_ORIGIN_CONNECT', 'connecting timed out', 'connect');
  t.match(adviceOn(error, tlsTarget, patience), /^no connection within 10 s \(origin_connect_timeout\)/);
});

t.test('what is not of connecting', async (t) => {
  const timeout = new OriginError('ERR_ORIGIN_TIMEOUT', 'x', 'no');
  t.match(adviceOn(timeout, tlsTarget, patience), /silent for 1800 s \(origin_timeout\)/);
  t.match(adviceOn(blockedError(), tlsTarget, patience), /untrusted, and its address is private: remove untrusted/);
  t.match(adviceOn(noDescriptorError(), tlsTarget, patience), /No file descriptor is left/);
});

t.test('the code at the bottom counts, and causes that go round end', async (t) => {
  const inner = Object.assign(new Error('inner'), { code: 'EINNER' });
  const outer = Object.assign(new Error('outer', { cause: inner }), { code: 'EOUTER' });
  t.equal(rootCode(new Error('x', { cause: outer })), 'EINNER');
  const round = Object.assign(new Error('round'), { code: 'EROUND' });
  round.cause = round;
  t.equal(rootCode(round), 'EROUND');
});
