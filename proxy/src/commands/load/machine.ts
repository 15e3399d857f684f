/** What a load run takes of its own machine, and whether that machine, rather than the server, is the limit. */
import { availableParallelism } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Descriptors } from '../../runtime/descriptors.js';
import { portRange } from './clients/own-ports.js';

/** What one process took. */
export interface MachineUse {
  /** Of one core, over the whole run: 1 is all of it. */
  readonly cpu: number;
  /** Of its busiest second. */
  readonly cpuMost: number;
  /** By how much the event loop was late, in ms: times of delivery are too long by up to this. */
  readonly lagP99: number;
  readonly lagMost: number;
  /** Resident memory at the end, in bytes. */
  readonly memory: number;
  readonly cores: number;
}

/** How often the loop is looked at, in ms; a delay has this much in it that is none. */
const RESOLUTION_MS = 10;

/** Share of a core from which on times are those of a busy process. */
const BUSY = 0.8;
/** Lag of the event loop from which on it shows in what is measured, in ms. */
const LATE_MS = 50;

/** Files that a process needs for other things than clients. */
const OTHER_FILES = 60;

/** Shorter times say nothing of a share, in ms. */
const SHORT_MS = 500;

/** Watches this process from `start` to `end`. */
export class Machine {
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #start = performance.now();
  #cpu = process.cpuUsage();
  #lastCpu = this.#cpu;
  #last = this.#start;
  #cpuMost = 0;

  start(): void {
    this.#start = performance.now();
    this.#cpu = process.cpuUsage();
    this.#last = this.#start;
    this.#lastCpu = this.#cpu;
    this.#lag.enable();
  }

  /** Share of a core since the last look; to be called once a second. */
  look(): number {
    const at = performance.now();
    const { user, system } = process.cpuUsage(this.#lastCpu);
    const share = (user + system) / 1_000 / Math.max(at - this.#last, SHORT_MS);
    this.#last = at;
    this.#lastCpu = process.cpuUsage();
    this.#cpuMost = Math.max(this.#cpuMost, share);
    return share;
  }

  get use(): MachineUse {
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpu = (user + system) / 1_000 / Math.max(performance.now() - this.#start, SHORT_MS);
    const lag = (ns: number) => round(Math.max(0, (Number.isFinite(ns) ? ns : 0) / 1e6 - RESOLUTION_MS), 1);
    return {
      cpu: round(cpu, 3),
      cpuMost: round(Math.max(this.#cpuMost, cpu), 3),
      lagP99: lag(this.#lag.percentile(99)),
      lagMost: lag(this.#lag.max),
      memory: process.memoryUsage.rss(),
      cores: availableParallelism(),
    };
  }

  end(): void {
    this.#lag.disable();
  }
}

const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** What of the machine's limits so many clients go beyond, a line each. */
export function tooMany(clients: number, addresses: number): string[] {
  const files = Descriptors.ofProcess().limit - OTHER_FILES;
  const ports = portsOfAddress() * Math.max(addresses, 1);
  return [
    ...(clients > files
      ? [`this process may open ${files} connections (ulimit -n): use several processes, or raise the limit`]
      : []),
    ...(clients > ports
      ? [
          `this machine has ${ports} ports for connections to one address (net.ipv4.ip_local_port_range): use --local-address with several, or several machines`,
        ]
      : []),
  ];
}

/** How many connections to one address and port can come from one own address. */
function portsOfAddress(): number {
  const range = portRange();
  return range === undefined ? Number.POSITIVE_INFINITY : range.high - range.low + 1;
}

/** Errors of the system that say that this machine, not the server, is full. */
const ownErrors: Readonly<Record<string, string>> = {
  EMFILE: 'no open file was left for connections of this process (ulimit -n)',
  ENFILE: 'no open file was left on this machine (fs.file-max)',
  EADDRNOTAVAIL: 'no port was left for connections to this address (net.ipv4.ip_local_port_range; --local-address)',
  EAGAIN: 'no port was left for connections to this address (net.ipv4.ip_local_port_range; --local-address)',
  ENOBUFS: 'the system had no memory for connections (net.ipv4.tcp_mem)',
};

/** What shows that this machine was the limit: then the figures say little of the server. */
export function ownLimits(use: MachineUse, failed: Readonly<Record<string, number>>): string[] {
  const full = Object.entries(ownErrors).flatMap(([code, text]) => (Object.hasOwn(failed, code) ? [text] : []));
  const percent = Math.round(use.cpuMost * 100);
  return [
    ...new Set(full),
    ...(use.cpuMost > BUSY
      ? [`this process took ${percent} % of a core in its busiest second: times of delivery have its own delay in them`]
      : []),
    ...(use.lagP99 > LATE_MS ? [`this process was late by ${use.lagP99} ms (p99 of its event loop)`] : []),
  ];
}
