/** Recording ends of the ports: what a test looks at afterwards. */
import type { BackplaneListener, Gap, ItemClaim, Log, Message, PublishEvents } from '../dist/index.js';
import { label } from './items.js';

/** A listener that keeps what it gets, and lets a test wait for a message instead of for a time. */
export class RecordingListener implements BackplaneListener {
  readonly claims = true;
  readonly messages: Message[] = [];
  /** Ids of the items for one subscriber that it may give to its own. */
  readonly given: string[] = [];
  /** Whether it has a subscriber for such items. */
  hasSubscriber = false;
  /** Claims that are not answered yet. */
  claiming = 0;
  readonly gaps: Gap[] = [];
  /** Called before a message is recorded. May throw. */
  before: (message: Message) => void = () => {};
  #waiting: Array<{ readonly wanted: string; readonly resolve: () => void }> = [];

  get labels(): string[] {
    return this.messages.map(label);
  }

  onMessage(message: Message): void {
    this.before(message);
    this.messages.push(message);
    if (message.type === 'item' && message.claim !== undefined) void this.#claim(message.id, message.claim);
    const arrived = label(message);
    for (const { wanted, resolve } of this.#waiting) if (wanted === arrived) resolve();
    this.#waiting = this.#waiting.filter(({ wanted }) => wanted !== arrived);
  }

  async #claim(id: string, claim: ItemClaim): Promise<void> {
    if (!this.hasSubscriber) {
      claim.pass();
      return;
    }
    this.claiming++;
    // An await of undefined would be answered later than it was granted.
    const granted = claim.take();
    if (granted === undefined || (await granted)) this.given.push(id);
    this.claiming--;
  }

  onGap(gap: Gap): void {
    this.gaps.push(gap);
  }

  /** Resolves once a message with this label has come. */
  async saw(wanted: string): Promise<void> {
    if (this.labels.includes(wanted)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ wanted, resolve }));
  }
}

/** Keeps events as strings such as `published 2`. */
export class RecordingEvents implements PublishEvents {
  readonly seen: string[] = [];

  published(items: number): void {
    this.seen.push(`published ${items}`);
  }

  /** How many items reached nobody, by call; beside `seen`. */
  readonly unreceivedItems: number[] = [];

  unreceived(items: number): void {
    this.unreceivedItems.push(items);
  }

  recovered(): void {
    this.seen.push('recovered');
  }

  rejected(reason: string): void {
    this.seen.push(`rejected ${reason}`);
  }

  limited(limit: string): void {
    this.seen.push(`limited ${limit}`);
  }

  /** Of all kinds of requests, where `seen` has only publishes. */
  readonly requests: string[] = [];

  requested(action: string, key: string, result: string): void {
    this.requests.push(`${action} ${key} ${result}`);
  }
}

/** One recorded log line. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** Keeps all lines, debug included. */
export class RecordingLog implements Log {
  readonly lines: LogLine[] = [];

  debug(fields: object, message: string): void {
    this.#keep('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep('error', fields, message);
  }

  isDebug(): boolean {
    return true;
  }

  child(): Log {
    return this;
  }

  at(level: LogLine['level']): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  #keep(level: LogLine['level'], fields: object, message: string): void {
    this.lines.push({ level, fields: { ...fields }, message });
  }
}
