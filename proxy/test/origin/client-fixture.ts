/** An `OriginClient` for a test, and targets for it. */
import type { Test } from 'tap';
import { OriginClient, type OriginClientOptions } from '../../dist/origin/client.js';
import type { OriginCall, OriginRequest } from '../../dist/origin/port.js';
import type { HttpTarget } from '../../dist/routes/target.js';
import { RecordingHandler } from './recording-handler.js';

const OPTIONS: OriginClientOptions = {
  originConnectTimeout: 10_000,
  originTimeout: 60_000,
  originKeepAliveTimeout: 60_000,
  maxHeaderBytes: 16_384,
};

/** A plain target on this machine. */
export function target(port: number, over: Partial<HttpTarget> = {}): HttpTarget {
  return {
    kind: 'http',
    host: '127.0.0.1',
    port,
    ssl: false,
    insecure: false,
    trustConnectHost: false,
    untrusted: false,
    subs: [],
    overHttp: false,
    oneEvent: false,
    ...over,
  };
}

/** A client that is closed at the end of the test. */
export function makeClient(t: Test, over: Partial<OriginClientOptions> = {}): OriginClient {
  const client = new OriginClient({ ...OPTIONS, ...over });
  t.teardown(() => client.close());
  return client;
}

/** Sends a GET, or what `over` makes of it. */
export function ask(
  client: OriginClient,
  to: HttpTarget,
  over: Partial<OriginRequest> & { readonly host?: string } = {},
): { call: OriginCall; recorder: RecordingHandler } {
  const { host = 'test.example', ...request } = over;
  const recorder = new RecordingHandler();
  const call = client
    .origin(to, host)
    .dispatch({ method: 'GET', path: '/', headers: ['Host', host], body: null, ...request }, recorder);
  return { call, recorder };
}
