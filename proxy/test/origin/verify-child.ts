/**
 * A process that asks one TLS origin once: `verify-child.js <host> <target as JSON>`. Prints the body of the answer, or the
 * codes of the failure.
 */
import { OriginClient } from '../../dist/origin/client.js';
import type { HttpTarget } from '../../dist/routes/target.js';
import { RecordingHandler } from './recording-handler.js';

const [, , host = '', json = ''] = process.argv;
const client = new OriginClient({
  originConnectTimeout: 10_000,
  originTimeout: 60_000,
  originKeepAliveTimeout: 60_000,
  maxHeaderBytes: 16_384,
});
const recorder = new RecordingHandler();
client
  .origin(JSON.parse(json) as HttpTarget, host)
  .dispatch({ method: 'GET', path: '/', headers: ['Host', host], body: null }, recorder);
const end = await recorder.ended();
process.stdout.write(
  end === 'end' ? recorder.body : `${end.code} ${end.repeat} ${(end.cause as { code?: string } | undefined)?.code}`,
);
await client.close();
