/** Lines about troubles: once for each error, once for each word of an origin, and a bound for those. */
import { CAUSE_MS, type Log, silentLog } from '@holdfast/control-api';
import { GripError } from '@holdfast/grip';
import t from 'tap';
import { faultError, OriginError, RequestError } from '../../dist/errors.js';
import { Troubles, WORDS_MAX } from '../../dist/origin/warnings.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { ManualClock } from '../kit/manual-clock.js';

const routeOf = (text: string) => toRoute(parseRouteLine(text, 1) as RouteLine, () => undefined);

function scene() {
  const lines: { level: string; fields: object; message: string }[] = [];
  const note = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  const log: Log = { ...silentLog, info: note('info'), warn: note('warn') };
  const clock = new ManualClock();
  const troubles = new Troubles(log, clock, { originConnectTimeout: 10_000, originTimeout: 60_000 });
  const route = routeOf('a.example,id=shop h:80');
  return { lines, clock, troubles, where: { id: 'r1', route, target: route.targets[0] } };
}

t.test('an error is told once, though it is met where it happened and where it leads to', async (t) => {
  const { lines, troubles, where } = scene();
  const cause = new OriginError('ERR_ORIGIN_CONNECT', 'no', 'connect', {
    cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }),
  });
  troubles.targetFailed(where, cause);
  troubles.failed(where, new OriginError('ERR_ORIGIN_CONNECT', 'Unable to connect to any targets.', 'no', { cause }));
  troubles.failed(where, cause);
  t.strictSame(lines, [
    {
      level: 'warn',
      fields: { id: 'r1', route: 'shop', target: 'h:80', code: 'ERR_ORIGIN_CONNECT', cause: 'ECONNREFUSED' },
      message: 'origin cannot be asked: connection refused: is the origin running on h:80? (ECONNREFUSED)',
    },
  ]);
});

t.test('a fault has a line of its own, and so none here', async (t) => {
  const { lines, troubles, where } = scene();
  troubles.failed(where, faultError(new Error('x')));
  t.strictSame(lines, []);
});

t.test('causes are kept apart by kind, route and target, not by what is quoted', async (t) => {
  const { lines, troubles, where } = scene();
  const instruct = (text: string) => new GripError('ERR_GRIP_INSTRUCT', text);
  for (let i = 0; i < 5; i++) troubles.failed(where, instruct(`no such mode 'x${i}'`));
  t.equal(lines.length, 1);
  troubles.failed(where, instruct('failed to parse Grip-Timeout'));
  troubles.failed({ ...where, route: routeOf('b.example h:80') }, instruct("no such mode 'y'"));
  t.equal(lines.length, 3);
});

t.test('what clients bring about by themselves is told at info', async (t) => {
  const { lines, troubles, where } = scene();
  troubles.failed(where, new RequestError('ERR_REQUEST_CROSS_ORIGIN', 'Not allowed.'));
  troubles.failed(where, new RequestError('ERR_REQUEST_NO_ROUTE', 'No route for host: x'));
  t.match(lines, [{ level: 'info', message: /^request failed: Not allowed: aco_origins names/ }, { level: 'warn' }]);
});

t.test(
  'of one route WORDS_MAX words without meaning are told, each once; a route that is loaded anew begins anew',
  async (t) => {
    const { lines, clock, troubles, where } = scene();
    for (let i = 0; i < WORDS_MAX + 10; i++) {
      troubles.filtersNamed(where, [`skip-self${i}`, `skip-self${i}`, 'skip-self']);
      troubles.instructed(where, ['Grip-Hold', 'stream'], []);
    }
    t.equal(lines.length, WORDS_MAX);
    clock.advance(CAUSE_MS);
    troubles.filtersNamed({ ...where, route: routeOf('a.example,id=shop h:80') }, ['skip-self0']);
    t.equal(lines.length, WORDS_MAX + 1);
    t.match(lines[0], {
      message: "the origin names a filter that means nothing: 'skip-self0'; did you mean skip-self?",
    });
  },
);

t.test('what an origin says begins no line of its own, and has an end', async (t) => {
  const { lines, troubles, where } = scene();
  troubles.instructed(where, [`Grip-${'x'.repeat(9_000)}`, ''], [`a\n[ERR] forged`]);
  for (const { message } of lines) t.ok(message.length < 1_100 && !message.includes('\n'), message);
});
