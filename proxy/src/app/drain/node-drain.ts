/** The drain of a node: its steps, for the end of the process and for an operator who may take it back. */
import type { Containment, DrainPhase, DrainState, NodeDrainPort } from '@holdfast/control-api';
import type { Config } from '../../config/config.js';
import type { Clock } from '../../runtime/clock.js';
import type { RootLog } from '../../telemetry/log.js';
import type { DataPlaneLoad } from '../data-plane.js';

/**
 * How long a node that is drained waits before it ends what has come to be held since, in ms: clients that come back at once, over and
 * over, cost their origins a request in so long.
 *
 * @limit {s} between rounds in which a drained node ends what comes to be held
 * @over –
 */
const ROUND_MS = 1_000;

/** What serves clients, as far as a drain goes: one process or all workers. */
export interface Drainable {
  /** From here on each answer is the last of its connection, or no longer. */
  closeAfterAnswers(closes: boolean): void;
  /** Nobody can connect from here on; who is connected is served as before. There is no way back. */
  stopListening(): void;
  /**
   * Ends what is held over `window` ms, and what comes to be held meanwhile, while requests are served. Resolves when nothing is held any
   * more, the window is over, or `rest` was called. Never rejects.
   */
  spread(window: number): Promise<void>;
  /** Ends no more. */
  rest(): void;
  /** Holds and sessions that have not ended yet. With workers, as of about a second ago. */
  readonly holds: number;
  readonly load: DataPlaneLoad;
}

/** What a drain is made of. */
export interface NodeDrainDeps {
  readonly delays: Pick<Config, 'shutdownDelay' | 'shutdownWindow'>;
  /** Asked for only once the node has started. */
  readonly serving: () => Drainable;
  readonly clock: Clock;
  readonly faults: Containment;
  readonly log: Pick<RootLog, 'info'>;
}

/** From its beginning until it is taken back. */
interface Pass {
  /** Resolves when delay and window are over, or it is taken back. */
  readonly over: Promise<void>;
  isPastDelay: boolean;
  isOver: boolean;
  isTakenBack: boolean;
  /** Ends the wait under way, if there is one. */
  wake: () => void;
}

/**
 * Lets the clients of a node go: for `shutdown_delay` it serves as before, over `shutdown_window` its holds end. A node that goes on
 * after that takes new holds, and ends them soon.
 */
export class NodeDrain implements NodeDrainPort {
  readonly #deps: NodeDrainDeps;
  #pass: Pass | undefined;
  #isFinal = false;

  constructor(deps: NodeDrainDeps) {
    this.#deps = deps;
  }

  /** Whether clients are to go elsewhere. */
  get isUnderWay(): boolean {
    return this.#pass !== undefined || this.#isFinal;
  }

  get state(): DrainState {
    const { holds, load } = this.#deps.serving();
    return { state: this.#phase, holds, connections: load.connections };
  }

  get #phase(): DrainPhase {
    if (this.#isFinal) return 'stopping';
    if (this.#pass === undefined) return 'serving';
    return this.#pass.isOver ? 'drained' : 'draining';
  }

  /** Begins, unless it has begun, or the node is about to end. Resolves when delay and window are over, or the drain is taken back. */
  async begin(): Promise<void> {
    if (!this.#isFinal) this.#pass ??= this.#start();
    await this.#pass?.over;
  }

  /** Takes it back: the node serves as before. What is ending already ends. False where the node is about to end. */
  takeBack(): boolean {
    if (this.#isFinal) return false;
    const pass = this.#pass;
    if (pass === undefined) return true;
    const { serving, log } = this.#deps;
    this.#pass = undefined;
    pass.isTakenBack = true;
    pass.wake();
    serving().rest();
    serving().closeAfterAnswers(false);
    log.info({ holds: serving().holds }, 'the drain is taken back: serving as before');
    return true;
  }

  /** For the end of the process: resolves when it may end. Goes through what is left of a drain that has begun. */
  async finish(): Promise<void> {
    this.#isFinal = true;
    if (this.#pass?.isPastDelay) this.#deps.serving().stopListening();
    const { shutdownDelay, shutdownWindow } = this.#deps.delays;
    if (shutdownDelay > 0 || shutdownWindow > 0) this.#pass ??= this.#start();
    await this.#pass?.over;
    this.close();
  }

  /** Waits for nothing more. */
  close(): void {
    this.#isFinal = true;
    this.#pass?.wake();
  }

  #start(): Pass {
    const { delays, serving, log, faults } = this.#deps;
    const { shutdownDelay: delay, shutdownWindow: window } = delays;
    const { holds } = serving();
    const text = `draining ${holds.toLocaleString('en-US')} holds over ${window / 1_000} s`;
    log.info({ holds, delay, window }, delay === 0 ? text : `${text}, after ${delay / 1_000} s`);
    serving().closeAfterAnswers(true);
    let over = () => {};
    const pass: Pass = {
      over: new Promise((resolve) => {
        over = resolve;
      }),
      isPastDelay: false,
      isOver: false,
      isTakenBack: false,
      wake: () => {},
    };
    faults.watch('timer', this.#run(pass).finally(over));
    return pass;
  }

  /** Up to the end of the window; what comes to be held later is another matter, that `over` does not wait for. */
  async #run(pass: Pass): Promise<void> {
    const { delays, serving, log, faults } = this.#deps;
    if (delays.shutdownDelay > 0) await this.#wait(pass, delays.shutdownDelay);
    if (pass.isTakenBack) return;
    pass.isPastDelay = true;
    // Balancers have had their time: one that still tries goes elsewhere when it cannot connect. What may be taken back goes on listening.
    if (this.#isFinal) serving().stopListening();
    await serving().spread(delays.shutdownWindow);
    if (pass.isTakenBack) return;
    pass.isOver = true;
    if (this.#isFinal) return;
    log.info({ holds: serving().holds }, 'drained');
    faults.watch('timer', this.#keepEnding(pass));
  }

  async #keepEnding(pass: Pass): Promise<void> {
    const { delays, serving } = this.#deps;
    while (!pass.isTakenBack && !this.#isFinal) {
      await serving().spread(delays.shutdownWindow);
      await this.#wait(pass, ROUND_MS);
    }
  }

  #wait(pass: Pass, ms: number): Promise<void> {
    const { clock } = this.#deps;
    return new Promise((resolve) => {
      const timer = clock.after(ms, resolve);
      pass.wake = () => {
        clock.clear(timer);
        resolve();
      };
    });
  }
}
