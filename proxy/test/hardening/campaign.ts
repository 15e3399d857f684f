/**
 * Playing cases of one kind, many at a time, with a look at the node after each batch, and finding the one case that
 * is to blame.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type OpenFixture, openFixture } from './fixture.js';
import type { Case, Kind } from './kind.js';
import { knownGood } from './known-good.js';
import { type EdgeName, HEAP_MIB } from './node-under-test.js';
import { Random } from './random.js';

/** What must not be, and the case that shows it. */
export interface Finding {
  readonly kind: string;
  readonly edge: EdgeName;
  readonly seed: string;
  /** The cases it takes: one, or the batch when none does it alone. */
  readonly cases: readonly number[];
  readonly complaints: readonly string[];
  readonly text: string;
  readonly log: string;
}

/** How long to go on. */
export interface CampaignOptions {
  readonly seed: string;
  readonly edge: EdgeName;
  /** The first case. */
  readonly from?: number;
  /** How many cases; until `deadline` when absent. */
  readonly count?: number;
  /** Point in time, in ms, after which no further batch begins. */
  readonly deadline?: number;
  /** Findings after which it ends. */
  readonly most?: number;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Complaints with one of these texts do not count. */
  readonly ignore?: readonly string[];
  readonly report?: (finding: Finding) => void;
}

/** What came of it. */
export interface CampaignResult {
  readonly played: number;
  readonly findings: readonly Finding[];
  /** Resident bytes of the node at the end. */
  readonly resident: number;
}

/** Most that a node with a small heap may take, in bytes. */
const RESIDENT_MAX = (HEAP_MIB + 450) * 1_048_576;
/** Growth of the least heap seen among a few batches, beyond which something is kept. */
const HEAP_GROWTH_MAX = 48 * 1_048_576;
/** Batches before the size counts, and those of which the least is taken. */
const WARM = 10;
const WINDOW = 8;
const SETTLE_MS = 30_000;
const TOGETHER = 12;

/** Series that are 0 when no client is there. */
const IDLE = [
  'holdfast_connections',
  'holdfast_channels',
  'holdfast_holds{kind="response"}',
  'holdfast_holds{kind="stream"}',
  'holdfast_holds{kind="ws"}',
];

/** The token of a case in paths and channels. */
export const tokenFor = (kind: Kind, number: number) => `${kind.name.replaceAll('-', '')}-${number}`;

/** Makes a case again. */
export function makeCase(kind: Kind, seed: string, number: number): Case {
  return kind.make(new Random(`${seed}/${kind.name}/${number}`), tokenFor(kind, number));
}

/** One kind on one edge, with a node that is started anew after each finding. */
export class Campaign {
  readonly #kind: Kind;
  readonly #options: CampaignOptions;
  #fixture: OpenFixture | undefined;
  readonly #heaps: number[] = [];

  constructor(kind: Kind, options: CampaignOptions) {
    this.#kind = kind;
    this.#options = options;
  }

  /** Plays. Ends everything that it has started. */
  async run(): Promise<CampaignResult> {
    const { from = 0, count = Number.POSITIVE_INFINITY, deadline = Number.POSITIVE_INFINITY, most = 1 } = this.#options;
    const findings: Finding[] = [];
    const size = this.#kind.together ?? TOGETHER;
    let next = from;
    let resident = 0;
    try {
      while (next < from + count && findings.length < most && (next === from || Date.now() < deadline)) {
        const numbers = Array.from({ length: Math.min(size, from + count - next) }, (_, i) => next + i);
        next += numbers.length;
        const complaints = await this.#batch(numbers);
        resident = this.#fixture?.node.residentBytes() ?? 0;
        if (complaints.length === 0) continue;
        const finding = await this.#blame(numbers, complaints);
        findings.push(finding);
        this.#options.report?.(finding);
      }
      return { played: next - from, findings, resident };
    } finally {
      await this.#fixture?.close();
    }
  }

  async #open(): Promise<OpenFixture> {
    const { edge, settings } = this.#options;
    this.#fixture ??= await openFixture(edge, this.#kind.fixture, { settings: settings ?? {} });
    return this.#fixture;
  }

  async #restart(): Promise<void> {
    await this.#fixture?.close();
    this.#fixture = undefined;
    this.#heaps.length = 0;
  }

  /** Plays cases at the same time; resolves with all that is wrong then. */
  async #batch(numbers: readonly number[]): Promise<string[]> {
    const fixture = await this.#open();
    const outcomes = numbers.map(async (number) => {
      const token = tokenFor(this.#kind, number);
      try {
        const complaints = await makeCase(this.#kind, this.#options.seed, number).play(fixture);
        return complaints.map((complaint) => `case ${number}: ${complaint}`);
      } catch (error) {
        return [`case ${number}: ${(error as Error).stack}`];
      } finally {
        fixture.origin.forget(token);
      }
    });
    const complaints = (await Promise.all(outcomes)).flat();
    complaints.push(...(await this.#look(fixture)));
    const { ignore = [] } = this.#options;
    const { expected } = this.#kind;
    return complaints.filter(
      (complaint) => expected?.test(complaint) !== true && !ignore.some((text) => complaint.includes(text)),
    );
  }

  /** What is wrong with the node itself. */
  async #look(fixture: OpenFixture): Promise<string[]> {
    const { node, origin } = fixture;
    const complaints = [...node.takeComplaints(), ...origin.takeComplaints()];
    if (!node.alive) return complaints;
    try {
      complaints.push(...(await knownGood(fixture)), ...(await this.#settled(fixture)));
    } catch (error) {
      complaints.push(`the node does not answer: ${(error as Error).message}`);
    }
    return [...complaints, ...node.takeComplaints(), ...origin.takeComplaints()];
  }

  /** Waits until the clients that have gone are gone for the node too; then its size counts. */
  async #settled({ node }: OpenFixture): Promise<string[]> {
    for (const deadline = Date.now() + SETTLE_MS; ; await delay(20)) {
      const metrics = await node.metrics();
      const busy = IDLE.filter((name) => (metrics.get(name) ?? 0) !== 0);
      if (busy.length > 0 && Date.now() < deadline) continue;
      const left = busy.map((name) => `${name} stays ${metrics.get(name)} when all clients have gone`);
      const faults = [...metrics].filter(([name, value]) => name.startsWith('holdfast_faults_total') && value > 0);
      this.#heaps.push(metrics.get('holdfast_nodejs_heap_size_used_bytes') ?? 0);
      return [...left, ...faults.map(([name, value]) => `${name} is ${value}`), ...this.#sizes(node.residentBytes())];
    }
  }

  #sizes(resident: number): string[] {
    const complaints = resident > RESIDENT_MAX ? [`${Math.round(resident / 1_048_576)} MiB are resident`] : [];
    if (this.#heaps.length >= WARM + 2 * WINDOW) {
      const first = Math.min(...this.#heaps.slice(WARM, WARM + WINDOW));
      const last = Math.min(...this.#heaps.slice(-WINDOW));
      if (last - first > HEAP_GROWTH_MAX) complaints.push(`the heap has grown from ${first} to ${last} bytes`);
      // Its history keeps items on purpose; what was long ago says nothing of it.
      if (this.#heaps.length > 5_000) this.#heaps.splice(WARM + WINDOW, 1_000);
    }
    return complaints;
  }

  /** Plays those again that are named, then ever smaller halves, each on a new node, until one case does it alone. */
  async #blame(numbers: readonly number[], complaints: readonly string[]): Promise<Finding> {
    let found = { numbers, complaints, log: this.#fixture?.node.log() ?? '' };
    const again = async (part: readonly number[]) => {
      await this.#restart();
      const more = await this.#batch(part);
      if (more.length > 0) found = { numbers: part, complaints: more, log: this.#fixture?.node.log() ?? '' };
      return more.length > 0;
    };
    for (const number of this.#named(numbers, complaints).slice(0, 3)) {
      if (numbers.length > 1 && (await again([number]))) return this.#finding(found);
    }
    for (let isSmaller = true; isSmaller && found.numbers.length > 1; ) {
      const middle = found.numbers.length >> 1;
      const halves = [found.numbers.slice(0, middle), found.numbers.slice(middle)] as const;
      isSmaller = (await again(halves[0])) || (await again(halves[1]));
    }
    return this.#finding(found);
  }

  /** The cases that a complaint names. */
  #named(numbers: readonly number[], complaints: readonly string[]): number[] {
    const marks = (number: number) => [
      `case ${number}: `,
      ...['-', '?', ' ', '/'].map((end) => tokenFor(this.#kind, number) + end),
    ];
    return numbers.filter((number) =>
      marks(number).some((mark) => complaints.some((text) => `${text} `.includes(mark))),
    );
  }

  async #finding(found: { numbers: readonly number[]; complaints: readonly string[]; log: string }): Promise<Finding> {
    const { numbers: cases, complaints, log } = found;
    await this.#restart();
    const { seed, edge } = this.#options;
    const text = cases
      .map((number) => `${number}: ${makeCase(this.#kind, seed, number).text.slice(0, cases.length > 1 ? 300 : 6_000)}`)
      .join('\n');
    return { kind: this.#kind.name, edge, seed, cases, complaints, text, log };
  }
}

/** A finding as it is printed. */
export function formatFinding({ kind, edge, seed, cases, complaints, text, log }: Finding): string {
  const which = cases.length === 1 ? `${cases[0]}` : `${cases[0]}-${cases.at(-1)}`;
  return [
    `FINDING in ${kind} on the ${edge} edge, case ${which}`,
    `  again: npm run fuzz -- --edge ${edge} --only ${kind} --seed ${seed} --case ${which}`,
    ...complaints.slice(0, 12).map((complaint) => `  ! ${complaint.replaceAll('\n', '\n    ')}`),
    `  sent: ${text.replaceAll('\n', '\n    ')}`,
    ...(log === '' ? [] : [`  log: ${log.replaceAll('\n', '\n    ')}`]),
  ].join('\n');
}
