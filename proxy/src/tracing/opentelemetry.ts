/**
 * Spans by OpenTelemetry, for whatever SDK the operator has registered. The only importer of its API, which is loaded only where spans
 * are asked for.
 */
import { createRequire } from 'node:module';
import {
  type Log,
  newTraceContext,
  parseTraceparent,
  readTracestate,
  type Span,
  type SpanAttributes,
  type SpanStart,
  type TraceContext,
  type Tracing,
} from '@holdfast/control-api';
import type * as OpenTelemetry from '@opentelemetry/api';
import { ConfigError } from '../errors.js';
import { version } from '../package-files.js';

type Api = typeof OpenTelemetry;

const PACKAGE = '@opentelemetry/api';

/**
 * How long the SDK may take to send its last spans, in ms.
 *
 * @limit {s} for the last spans to be sent
 * @over the process leaves without them
 */
export const FLUSH_MS = 2_000;

/**
 * Loads the API.
 * @throws ConfigError that says what to install
 */
export function loadOpenTelemetry(require: NodeJS.Require = createRequire(import.meta.url)): Api {
  try {
    return require(PACKAGE) as Api;
  } catch (cause) {
    const message = `trace: spans need ${PACKAGE}: install it beside holdfast, or use trace: propagate`;
    throw new ConfigError([{ code: 'ERR_CONFIG_CONFLICT', message, key: 'trace' }], { cause });
  }
}

/** Records spans. What an SDK throws costs the span, and is logged once. */
export class OpenTelemetryTracing implements Tracing {
  readonly records = true;
  readonly #api: Api;
  readonly #tracer: OpenTelemetry.Tracer;
  readonly #failures: SdkFailures;

  /** Warns where no SDK is registered: one that registers later is taken too. */
  constructor(api: Api, log: Log) {
    this.#api = api;
    this.#failures = new SdkFailures(log);
    this.#tracer = api.trace.getTracer('holdfast', version);
    if (providerOf(api) === undefined)
      log.warn(
        {},
        `trace: no span is recorded, for no OpenTelemetry SDK is registered: load one with node --import, which finds the ${PACKAGE} that holdfast finds, or an older one`,
      );
  }

  start(start: SpanStart): Span {
    const span = this.#failures.contain(() => this.#begin(start));
    const context = span && this.#failures.contain(() => contextOf(span.spanContext()));
    // Without an SDK a span has no context but that of its parent.
    return new OpenSpan(span, context ?? start.parent ?? newTraceContext(false), this.#api, this.#failures);
  }

  async flush(): Promise<void> {
    const provider = providerOf(this.#api) as { forceFlush?(): Promise<unknown> } | undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS);
    });
    const flushed = this.#failures.contain(() => provider?.forceFlush?.());
    await Promise.race([late, Promise.resolve(flushed).catch((error: unknown) => this.#failures.report(error))]);
    clearTimeout(timer);
  }

  #begin({ kind, name, parent, link, attributes = {} }: SpanStart): OpenTelemetry.Span {
    const { ROOT_CONTEXT, SpanKind, trace } = this.#api;
    const kinds = {
      server: SpanKind.SERVER,
      client: SpanKind.CLIENT,
      producer: SpanKind.PRODUCER,
      consumer: SpanKind.CONSUMER,
    };
    const links = link === undefined ? [] : [{ context: this.#remote(link) }];
    // Not what is active: in a program that embeds a node, that is none of the request's.
    const around = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, this.#remote(parent));
    return this.#tracer.startSpan(name, { kind: kinds[kind], attributes: defined(attributes), links }, around);
  }

  #remote({ traceId, spanId, flags, state }: TraceContext): OpenTelemetry.SpanContext {
    const remote = { traceId, spanId, traceFlags: flags, isRemote: true };
    return state === '' ? remote : { ...remote, traceState: this.#api.createTraceState(state) };
  }
}

/** A span of the SDK until it has ended; its context stays for as long as its request does. */
class OpenSpan implements Span {
  readonly context: TraceContext;
  readonly #api: Api;
  readonly #failures: SdkFailures;
  #span: OpenTelemetry.Span | undefined;

  constructor(span: OpenTelemetry.Span | undefined, context: TraceContext, api: Api, failures: SdkFailures) {
    this.context = context;
    this.#span = span;
    this.#api = api;
    this.#failures = failures;
  }

  end(attributes: SpanAttributes = {}, error?: string): void {
    const span = this.#span;
    if (span === undefined) return;
    this.#span = undefined;
    this.#failures.contain(() => {
      span.setAttributes(defined(attributes));
      if (error !== undefined) {
        span.setAttribute('error.type', error);
        span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
      }
      span.end();
    });
  }
}

/** Samplers and processors are the operator's code, which must not end a request. */
class SdkFailures {
  readonly #log: Log;
  #logged = false;

  constructor(log: Log) {
    this.#log = log;
  }

  contain<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.report(error);
      return undefined;
    }
  }

  report(error: unknown): void {
    if (!this.#logged) this.#log.error({ err: error }, 'trace: the OpenTelemetry SDK has failed; logged once');
    this.#logged = true;
  }
}

/** Undefined for a context that means nothing. */
function contextOf({ traceId, spanId, traceFlags, traceState }: OpenTelemetry.SpanContext): TraceContext | undefined {
  const read = parseTraceparent(`00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`);
  return read && { ...read, state: readTracestate(traceState?.serialize() ?? '') };
}

function defined(attributes: SpanAttributes): Record<string, string | number> {
  const kept: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) kept[name] = value;
  return kept;
}

/** The provider of the SDK; undefined where there is none. That of the API passes on to it, once there is one. */
function providerOf({ trace }: Api): OpenTelemetry.TracerProvider | undefined {
  const provider = trace.getTracerProvider() as OpenTelemetry.TracerProvider &
    Partial<OpenTelemetry.ProxyTracerProvider>;
  if (provider.getDelegate === undefined || provider.getDelegateTracer === undefined) return provider;
  return provider.getDelegateTracer('holdfast') === undefined ? undefined : provider.getDelegate();
}
