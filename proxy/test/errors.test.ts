import t from 'tap';
import { proxyErrors } from '../dist/error-table.js';
import { ConfigError, errorRow, RoutesError } from '../dist/errors.js';

t.test('every error code has a side and a meaning', async (t) => {
  for (const [code, { side, meaning }] of Object.entries(proxyErrors)) {
    t.match(code, /^ERR_(EDGE|REQUEST|ORIGIN|CONFIG|PUBLISH|TAP|TOKEN|LOAD|WORKER)_[A-Z_]+$/);
    t.ok(['client', 'origin', 'internal'].includes(side), code);
    if (code.startsWith('ERR_CONFIG_')) t.equal(side, 'internal');
    t.match(meaning, /\.$/);
  }
});

t.test('a meaning names the status of the answer that the table has', async (t) => {
  for (const [code, row] of Object.entries(proxyErrors)) {
    const named = /\b[Aa]nswered (\d{3})/.exec(row.meaning)?.[1];
    if (named !== undefined) t.equal('status' in row && row.status, Number(named), code);
  }
});

t.test(
  'errors of configuration and routes are of the table, and carry what they say apart from the text',
  async (t) => {
    const config = new ConfigError([
      { code: 'ERR_CONFIG_VALUE', message: 'one' },
      { code: 'ERR_CONFIG_FILE', message: 'two\nlines' },
    ]);
    t.match(config, {
      name: 'ConfigError',
      code: 'ERR_CONFIG_VALUE',
      side: 'internal',
      message: 'one\ntwo\\u000alines',
    });
    const routes = new RoutesError('bad target', { line: 3, column: 7 });
    t.match(routes, { name: 'RoutesError', code: 'ERR_CONFIG_ROUTE_LINE', message: 'line 3, column 7: bad target' });
    t.equal(routes.reason, 'bad target');
    t.equal(errorRow(routes), proxyErrors.ERR_CONFIG_ROUTE_LINE);
    t.equal(errorRow(Object.assign(new Error('of others'), { code: 'ERR_EDGE_HEAD' })), undefined);
  },
);
