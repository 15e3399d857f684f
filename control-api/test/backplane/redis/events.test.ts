import t from 'tap';
import { ConnectionWarnings } from '../../../dist/backplane/redis/events.js';
import { RecordingLog } from '../../recorder.js';

t.test('each warning is logged once, and again after the connections were up', async (t) => {
  const log = new RecordingLog();
  const warnings = new ConnectionWarnings(log);
  const refused = Object.assign(new Error('refused'), { command: { args: ['secret'] } });
  for (let i = 0; i < 3; i++) warnings.warn({ redis: 'a' }, refused, 'away');
  warnings.warn({ redis: 'b' }, refused, 'away');
  warnings.warn({ redis: 'a' }, new Error('no rights'), 'away');
  t.strictSame(
    log.at('warn').map(({ fields }) => fields),
    [
      { redis: 'a', why: 'refused' },
      { redis: 'b', why: 'refused' },
      { redis: 'a', why: 'no rights' },
    ],
  );
  t.equal(log.at('debug').length, 2);
  t.equal(warnings.last, 'no rights');
  warnings.over();
  t.equal(warnings.last, undefined);
  warnings.warn({ redis: 'a' }, undefined, 'away');
  t.strictSame(log.at('warn').at(-1)?.fields, { redis: 'a' });
});
