/**
 * Owns: serving clients in the process of the control plane itself: `workers: 1`. Does not own: the data plane.
 */
import type { Connections, Question } from '@holdfast/control-api';
import type { Exposition, Readiness } from '../admin/server.js';
import type { Config } from '../config/config.js';
import type { RootLog } from '../telemetry/log.js';
import type { Surroundings } from './compose.js';
import type { Serving } from './control-plane.js';
import { DataPlane, type DataPlaneLoad } from './data-plane.js';

/** One data plane. */
export class OneProcess implements Serving {
  readonly exposition: Exposition;
  readonly workers = 1;
  readonly #data: DataPlane;
  #ready = false;

  /** Throws as the constructor of `DataPlane` does. */
  constructor(config: Config, log: RootLog, surroundings: Surroundings) {
    this.exposition = surroundings.metrics;
    this.#data = new DataPlane(config, log, surroundings);
  }

  async start(): Promise<readonly string[]> {
    const urls = await this.#data.start();
    this.#ready = true;
    return urls;
  }

  reload(): void {
    this.#data.reload();
  }

  stop(): Promise<void> {
    this.#ready = false;
    return this.#data.stop();
  }

  countSubscribers(channel: string): number {
    return this.#data.countSubscribers(channel);
  }

  get connections(): Connections {
    return this.#data.connections;
  }

  get readiness(): Readiness {
    return this.#ready ? { ready: true } : { ready: false, reason: 'not accepting clients' };
  }

  get load(): DataPlaneLoad {
    return this.#data.load;
  }

  /** The data plane asks the socket itself. */
  wantsChanged(): void {}

  async answers(question: Question): Promise<readonly unknown[]> {
    return [await this.#data.answer(question)];
  }
}
