/**
 * Loaded before Holdfast by `node --import`, as an operator loads an SDK: registers the one of OpenTelemetry, with the sampler of
 * docs/tracing.md, and prints each span that ends as a line of JSON.
 */
import { SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';

/** One span as it is printed. */
export interface PrintedSpan {
  readonly span: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  /** `<trace id> <span id>` each. */
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: boolean;
}

class PrintingExporter extends InMemorySpanExporter {
  override export(spans: ReadableSpan[], done: Parameters<InMemorySpanExporter['export']>[1]): void {
    for (const it of spans) {
      const { traceId, spanId } = it.spanContext();
      const printed: PrintedSpan = {
        span: it.name,
        kind: SpanKind[it.kind],
        traceId,
        spanId,
        parent: it.parentSpanContext?.spanId,
        links: it.links.map(({ context }) => `${context.traceId} ${context.spanId}`),
        attributes: it.attributes,
        error: it.status.code === 2,
      };
      process.stdout.write(`${JSON.stringify(printed)}\n`);
    }
    super.export(spans, done);
  }
}

/** Keeps its spans until it is flushed, which never ends where it is `stuck`. */
class HeldExporter extends PrintingExporter {
  override async forceFlush(): Promise<void> {
    if (held === 'stuck') await new Promise(() => {});
  }
}

/** The share of traces that are recorded when they begin here; `fail`: the sampler throws. */
const { SPANS_SHARE: share = '1', SPANS_HELD: held } = process.env;

const begun: Sampler = share === '1' ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(Number(share));

/** What follows something that is recorded is recorded. */
const root: Sampler = {
  shouldSample(context, traceId, name, kind, attributes, links) {
    if (share === 'fail') throw new Error('the sampler fails');
    const isFollowing = links.some(({ context: linked }) => (linked.traceFlags & TraceFlags.SAMPLED) !== 0);
    if (isFollowing) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    return begun.shouldSample(context, traceId, name, kind, attributes, links);
  },
  toString: () => 'follows links',
};

trace.setGlobalTracerProvider(
  new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [
      held === undefined
        ? new SimpleSpanProcessor(new PrintingExporter())
        : new BatchSpanProcessor(new HeldExporter(), { scheduledDelayMillis: 600_000 }),
    ],
  }),
);
