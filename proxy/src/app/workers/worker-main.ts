/** What a worker process runs: one data plane, for its primary. Started by node:cluster, which ends it when its primary has gone. */
import { Socket } from 'node:net';
import { type Containment, Faults, type Tracing, uncontained, WorkerBackplane } from '@holdfast/control-api';
import { userText } from '../../errors.js';
import { guardedClock, realClock } from '../../runtime/clock.js';
import { setUpV8 } from '../../runtime/start-up.js';
import { createLog, type RootLog } from '../../telemetry/log.js';
import { Metrics } from '../../telemetry/metrics.js';
import { workerOutputFor } from '../../telemetry/standard-output.js';
import { makeTracing } from '../../tracing/make-tracing.js';
import { workerCallbacks } from '../callbacks.js';
import { workerEvents } from '../customer-events.js';
import { DataPlane } from '../data-plane.js';
import { ProcessGuard } from '../process-guard.js';
import { Channel } from './channel.js';
import { PIPE_FD, Pipe } from './pipe.js';
import { WorkerPresence } from './worker-presence.js';
import type { SpreadOrder, WorkerFailure, WorkerInit, WorkerLoad } from './worker-process.js';

/** How often the load is reported to the primary, in ms. */
const LOAD_MS = 1_000;

/**
 * How much may wait for the primary before statistics packets and events are dropped, in bytes; packets may get lost anywhere.
 *
 * @limit {MiB} that wait for the primary
 * @over statistics packets are dropped, and events, counted
 */
const STATS_QUEUE_MAX = 16 * 1024 * 1024;

/** Roughly what an event takes on its way to the primary, in bytes. */
const EVENT_BYTES = 512;

let faults: Containment = uncontained;
const channel = new Channel(new Pipe(new Socket({ fd: PIPE_FD, readable: true, writable: true })), {
  clock: realClock,
  faulted: (error) => faults.caught('worker', error),
});

// A signal to the whole process group or service is for the primary, which passes it on to its workers.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

channel.on('stop', () => process.exit(0));

/** Serves until the primary says stop. */
async function serve(): Promise<void> {
  setUpV8();
  const init = (await channel.ask('init')) as WorkerInit;
  const { config, number } = init;
  const log = createLog(config, number, workerOutputFor(config));
  await log.opened;
  const metrics = new Metrics(config.prometheusPrefix);
  faults = new Faults(log.child('fault'), metrics);
  const clock = guardedClock(faults);
  const tracing = makeTracing(config, log.child('trace'), Math.random);
  let data: DataPlane | undefined;
  // What was reported last is with the primary when this resolves, for it keeps the order.
  const flush = () => Promise.all([tracing?.flush(), channel.notify('events', [])]);
  const stop = (status: number) => {
    const stopped = data === undefined ? Promise.resolve() : data.stop().then(() => flush());
    stopped.then(
      () => leave(log, status),
      () => leave(log, 1),
    );
  };
  const guard = new ProcessGuard(process, faults, clock, () => stop(1));
  const serving = makeDataPlane(init, log, metrics, tracing);
  data = serving;
  channel.on('stop', () => stop(0));
  const sendLoad = () => void channel.notify('load', { ...serving.load, holds: serving.holds } satisfies WorkerLoad);
  channel.on('close-after-answers', (closes: boolean) => serving.closeAfterAnswers(closes));
  channel.on('stop-listening', () => serving.stopListening());
  channel.on('spread', ({ window, processes, n }: SpreadOrder) => {
    void serving.spread(window, processes).then(() => {
      sendLoad();
      return channel.notify('spread-out', n);
    });
  });
  channel.on('rest', () => serving.rest());
  process.on('SIGUSR1', () => log.warn({}, 'SIGUSR1: ignored, no debugger is opened'));
  channel.on('reload', () => {
    log.reopen();
    faults.run('watch', () => serving.reload());
  });
  channel.answer('metrics', () => metrics.snapshot());
  channel.answer('connected', (ids: readonly string[]) => serving.connections.connected(ids));
  channel.answer('refresh', (whom: Parameters<DataPlane['connections']['refresh']>[0]) =>
    serving.connections.refresh(whom),
  );
  channel.answer('question', (question: Parameters<DataPlane['answer']>[0]) => serving.answer(question));
  await channel.notify('serving', await serving.start());
  guard.started();
  const sendLoads = () => {
    sendLoad();
    clock.after(LOAD_MS, sendLoads);
  };
  sendLoads();
}

function makeDataPlane(
  { config, instance, ticketSecret, history, revocations, wants }: WorkerInit,
  log: RootLog,
  metrics: Metrics,
  tracing: Tracing | undefined,
): DataPlane {
  let wanted = new Set(wants);
  channel.on('wants', (types: readonly string[]) => {
    wanted = new Set(types);
  });
  const port = channel.port('backplane');
  return new DataPlane(config, log, {
    backplane: new WorkerBackplane({ port, history, log: log.child('backplane'), faults }),
    revocations,
    metrics,
    faults,
    tracing,
    statsSink: {
      wants: (type) => wanted.has(type) && channel.queued < STATS_QUEUE_MAX,
      send: (packet) => void channel.notify('stats', packet, packet.length),
    },
    presence: new WorkerPresence(channel),
    events: workerEvents(config, (reports) => {
      const sent = channel.queued < STATS_QUEUE_MAX ? reports : reports.filter((report) => Array.isArray(report));
      void channel.notify('events', sent, sent.length * EVENT_BYTES);
      metrics.events.eventsDropped('full', reports.length - sent.length);
    }),
    callbacks: workerCallbacks(config, (order) => channel.ask('callback', order)),
    instance,
    ticketSecret,
    isShared: true,
  });
}

async function leave(log: RootLog, status: number): Promise<never> {
  await log.close();
  process.exit(status);
}

serve().catch(async (error: NodeJS.ErrnoException) => {
  const failure: WorkerFailure = { code: error.code, message: userText(error) };
  await channel.notify('failed', failure);
  process.exit(1);
});
