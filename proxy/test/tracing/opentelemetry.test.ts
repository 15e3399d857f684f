/** What does without a process: the API that is not installed. The end-to-end tests have the rest. */
import { createRequire } from 'node:module';
import t from 'tap';
import { ConfigError } from '../../dist/errors.js';
import { loadOpenTelemetry } from '../../dist/tracing/opentelemetry.js';

t.test('without the API the configuration is refused, with what to install', async (t) => {
  const missing = createRequire(new URL('file:///nowhere/index.js'));
  t.throws(() => loadOpenTelemetry(missing), ConfigError);
  t.throws(() => loadOpenTelemetry(missing), {
    message: 'trace: spans need @opentelemetry/api: install it beside holdfast, or use trace: propagate',
  });
  t.ok(loadOpenTelemetry().trace);
});
