/** One load run: its clients are opened and held, items are published meanwhile, and what came is put into a report. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Crowd, now } from './clients/crowd.js';
import { Machine, tooMany } from './machine.js';
import { dueOf, type Schedule } from './mark.js';
import type { Plan } from './plan.js';
import { ItemPublisher, MAX_UNPUBLISHED } from './publisher.js';
import { REPORT_FORM, type Report, warningsOf } from './reports/report.js';
import { type Timeline, withSecond } from './reports/timeline.js';
import { Tally } from './tally.js';

/** After the last client was tried: until all are held that will be, and origins have subscribed them, in ms. */
const CALM_MS = 1_000;

/** How long clients whose first attempt is under way are waited for after the ramp, in ms. */
const PATIENCE_MS = 35_000;

/** Between two looks at whether a phase is over, in ms. */
const LOOK_MS = 50;

/** By how much clocks of machines may differ: what is due so soon after a client was held may have been published before it, in ms. */
const CLOCK_SLACK_MS = 250;

/** What is seen of a run while it goes on, once a second. */
export interface Progress {
  readonly phase: 'waiting' | 'opening' | 'holding' | 'ending';
  readonly clients: number;
  readonly crowd: Crowd;
  readonly tally: Tally;
  readonly published: number;
  /** Of the last second. */
  readonly receivedPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Share of a core. */
  readonly cpu: number;
}

/** Addresses that are nobody's on the Internet. */
const ownNetworks = new BlockList();
for (const [net, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  ownNetworks.addSubnet(net, bits, 'ipv4');
ownNetworks.addAddress('::1', 'ipv6');
ownNetworks.addSubnet('fc00::', 7, 'ipv6');
ownNetworks.addSubnet('fe80::', 10, 'ipv6');

/** What there is to say before a run begins, a line each. */
export async function cautions({ target, clients, startAt }: Plan): Promise<string[]> {
  const host = target.url.hostname.replace(/^\[|\]$/g, '');
  const { address, family } = await lookup(host).catch(() => ({ address: host, family: isIP(host) }));
  const isPublic = family !== 0 && !ownNetworks.check(address, family === 6 ? 'ipv6' : 'ipv4');
  return [
    ...(isPublic
      ? [`${target.url.host} is ${address}, an address of the Internet: put load only on what is yours`]
      : []),
    ...(startAt !== undefined && startAt < now()
      ? ['--start-at is past: this process begins at once, after the others']
      : []),
    ...tooMany(clients, target.own.count),
  ];
}

/** For reports, which others read. */
function withoutPassword(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

/** A run under way. */
export class LoadRun {
  readonly #plan: Plan;
  readonly #tally: Tally;
  readonly #crowd: Crowd;
  readonly #machine = new Machine();
  readonly #publisher: ItemPublisher | undefined;
  readonly #onProgress: (progress: Progress) => void;
  readonly #warnings: string[];
  #timeline: Timeline = { width: 1, rows: [] };
  /** Totals at the end of the last second. */
  #before = { opened: 0, failed: 0, reconnected: 0, published: 0, received: 0 };
  #phase: Progress['phase'] = 'waiting';

  constructor(plan: Plan, warnings: readonly string[], onProgress: (progress: Progress) => void) {
    this.#plan = plan;
    this.#warnings = [...warnings];
    this.#onProgress = onProgress;
    this.#tally = new Tally(plan.clients, plan.publish === undefined ? CLOCK_SLACK_MS : 0);
    this.#crowd = new Crowd(plan.target, { clients: plan.clients, perSecond: plan.ramp }, this.#tally);
    this.#publisher = plan.publish && new ItemPublisher(plan.publish.control);
  }

  /**
   * Runs to its end, or until `signal` aborts, and returns what was found.
   * @throws LoadError ERR_LOAD_PUBLISH when nothing can be published, before any client is opened
   */
  async run(signal: AbortSignal): Promise<Report> {
    try {
      return await this.#run(signal);
    } finally {
      this.#crowd.end();
      this.#publisher?.close();
      this.#machine.end();
    }
  }

  async #run(signal: AbortSignal): Promise<Report> {
    const { startAt } = this.#plan;
    await this.#publisher?.check(this.#itemsOf(this.#scheduleFrom(now())));
    await this.#until(() => now() >= (startAt ?? 0), signal);
    const startedAt = now();
    this.#machine.start();
    const ticks = setInterval(() => this.#tick(), 1_000);
    try {
      this.#enter('opening');
      this.#crowd.start();
      const rampEnd = startedAt + (this.#plan.clients / this.#plan.ramp) * 1_000;
      await this.#until(() => this.#crowd.isRamped || now() > rampEnd + PATIENCE_MS, signal);
      await this.#pause(CALM_MS, signal);
      this.#enter('holding');
      const last = await this.#hold(signal);
      this.#enter('ending');
      return this.#report(startedAt, last);
    } finally {
      clearInterval(ticks);
    }
  }

  #enter(phase: Progress['phase']): void {
    this.#phase = phase;
  }

  #scheduleFrom(first: number): Schedule {
    const { publish, hold, startAt } = this.#plan;
    const every = 1_000 / (publish?.rate ?? 1);
    const run = startAt === undefined ? `run-${process.pid}-${Math.trunc(first)}` : new Date(startAt).toISOString();
    return { run, first, every, last: Math.max(1, Math.round(hold / every)) };
  }

  #itemsOf(schedule: Schedule) {
    const { publish, target } = this.#plan;
    return { schedule, kind: target.kind, channel: publish?.channel ?? '', size: publish?.size ?? 0 };
  }

  /** Publishes, or waits while others do. Returns the number of the last item that was due. */
  async #hold(signal: AbortSignal): Promise<number> {
    const { hold, linger } = this.#plan;
    if (this.#publisher === undefined) return this.#listen(signal);
    const schedule = this.#scheduleFrom(now());
    this.#tally.schedule = schedule;
    const end = now() + hold;
    const last = await this.#publisher.run(this.#itemsOf(schedule), signal);
    if (this.#publisher.unpublished.length >= MAX_UNPUBLISHED)
      this.#warnings.push('the run ended early: the control API accepts nothing');
    else await this.#pause(Math.max(0, end - now()), signal);
    const over = now() + linger;
    // An interrupted run waits for its last items too: they are on their way.
    const isOver = () => now() > over || this.#tally.behind(last) === 0;
    if (last > 0) await this.#until(isOver, new AbortController().signal);
    return last;
  }

  /** Until the last item of the run that others publish, or as long as clients are to be held. */
  async #listen(signal: AbortSignal): Promise<number> {
    const { hold, linger } = this.#plan;
    const end = now() + hold;
    const isOver = () => {
      const { schedule } = this.#tally;
      if (schedule === undefined) return now() > end + linger;
      const { last } = schedule;
      return now() > dueOf(schedule, last) + linger || (this.#tally.highest >= last && this.#tally.behind(last) === 0);
    };
    await this.#until(isOver, signal);
    const { schedule, highest } = this.#tally;
    if (schedule === undefined) return 0;
    // Interrupted: what is due just now may be on its way.
    const due = Math.floor((now() - linger - schedule.first) / schedule.every) + 1;
    return signal.aborted ? Math.max(highest, Math.min(due, schedule.last)) : schedule.last;
  }

  async #until(isReached: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !isReached()) await this.#pause(LOOK_MS, signal);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal }).catch(() => {});
  }

  #tick(): void {
    const cpu = this.#machine.look();
    const { latest } = this.#crowd;
    const totals = this.#totals();
    const { opened, failed, reconnected, published, received } = this.#before;
    const p99 = (latest.quantile(0.99) ?? 0) / 1_000;
    const receivedPerSecond = totals.received - received;
    this.#timeline = withSecond(this.#timeline, {
      at: Math.floor(now() / 1_000),
      open: this.#crowd.open,
      opened: totals.opened - opened,
      failed: totals.failed - failed,
      reconnected: totals.reconnected - reconnected,
      published: totals.published - published,
      received: receivedPerSecond,
      p99,
      most: (latest.quantile(1) ?? 0) / 1_000,
    });
    this.#before = totals;
    this.#onProgress({
      phase: this.#phase,
      clients: this.#plan.clients,
      crowd: this.#crowd,
      tally: this.#tally,
      published: totals.published,
      receivedPerSecond,
      p50: (latest.quantile(0.5) ?? 0) / 1_000,
      p99,
      cpu,
    });
    latest.clear();
  }

  #totals() {
    return {
      opened: this.#crowd.held,
      failed: this.#crowd.failed.total,
      reconnected: this.#crowd.reconnected,
      published: this.#publisher?.published ?? 0,
      received: this.#tally.counts.received,
    };
  }

  #report(startedAt: number, last: number): Report {
    const crowd = this.#crowd;
    const publisher = this.#publisher;
    this.#tick();
    this.#tally.finish(last, publisher?.unpublished);
    const { schedule, foreign, counts } = this.#tally;
    const report = {
      form: REPORT_FORM,
      url: withoutPassword(this.#plan.target.url),
      kind: this.#plan.target.kind,
      run: schedule?.run ?? null,
      startedAt: new Date(startedAt).toISOString(),
      seconds: Number(((now() - startedAt) / 1_000).toFixed(3)),
      clients: {
        wanted: this.#plan.clients,
        held: crowd.held,
        open: crowd.open,
        refused: crowd.refused,
        reconnected: crowd.reconnected,
      },
      failed: crowd.failed.read(),
      dropped: crowd.lost.read(),
      opening: crowd.opening.read(),
      items: {
        published: publisher?.published ?? 0,
        unpublished: publisher?.unpublished.length ?? 0,
        seen: schedule !== undefined,
        foreign,
        acceptance: publisher?.acceptance.read() ?? [],
      },
      delivery: { ...counts },
      latency: crowd.delivery.read(),
      timeline: this.#timeline,
      machines: [this.#machine.use],
    } as const;
    const complaint = publisher?.complaint;
    const said = complaint === undefined ? [] : [`the control API said: ${complaint}`];
    return { ...report, warnings: [...this.#warnings, ...warningsOf(report), ...said] };
  }
}
