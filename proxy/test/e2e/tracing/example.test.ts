/** The example of docs/tracing.md as it stands there, with an endpoint for OTLP in the place of a collector. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';

interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly unknown[] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly OtlpSpan[] }[];
  }[];
}

t.test('spans reach a collector, the last ones when the node stops', async (t) => {
  const [, example] = /`tracing\.mjs`[\s\S]*?```js\n([\s\S]*?)```/.exec(
    readFileSync(join(root, 'docs', 'tracing.md'), 'utf8'),
  ) as RegExpExecArray;
  // Where the packages of the SDK are found.
  const file = join(t.testdir({ 'tracing.mjs': example as string }), 'tracing.mjs');
  const origin = await startOrigin(t, (_, response) => void response.end('ok'));
  const collector = await startOrigin(t, (request, response) => {
    request.on('end', () => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'));
  });
  const holdfast = await startHoldfast(t, {
    settings: { log_format: 'json' },
    routes: [`*,id=api ${origin.target}`],
    args: ['--trace', 'spans'],
    env: { NODE_OPTIONS: `--import ${file}`, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${collector.target}` },
  });
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await ask(t, holdfast.clients, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
  t.equal((await holdfast.child.stop()).code, 0);
  const bodies = collector.seen.map(({ body }) => JSON.parse(body) as OtlpBody);
  t.ok(collector.seen.every(({ url }) => url === '/v1/traces'));
  const [{ resource }] = bodies.flatMap((body) => body.resourceSpans) as [OtlpBody['resourceSpans'][number]];
  t.match(JSON.stringify(resource.attributes), /"service\.name","value":\{"stringValue":"holdfast"/);
  const spans = bodies.flatMap((body) =>
    body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((it) => it.spans)),
  );
  t.strictSame(
    spans.map((span) => `${span.name} ${span.traceId}`),
    [`GET api ${traceId}`, `GET api ${traceId}`],
  );
});
