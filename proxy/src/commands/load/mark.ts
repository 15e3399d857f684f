/** What an item of a load run says of itself, so that every client can time and count it: on this machine or on another. */

/** When the items of a run are due. */
export interface Schedule {
  /** Names the run; no white space. */
  readonly run: string;
  /** When item 1 is due, in ms since the Unix epoch, to the µs. */
  readonly first: number;
  /** ms from one item to the next. */
  readonly every: number;
  /** Number of the last item. */
  readonly last: number;
}

/** One item of a run, as a client finds it. */
export interface Mark {
  readonly schedule: Schedule;
  /** From 1 on; 0 is published once beforehand, for nobody. */
  readonly number: number;
}

/** Highest number of an item: what 32 bits hold, with one more. */
export const MAX_NUMBER = 2 ** 32 - 2;

const SIGN = 'holdfast-load/1 ';
const FORM = /holdfast-load\/1 ([\w:.+-]{1,80}) (\d{1,10}) (\d{1,10}) (\d{1,16}) (\d{1,16}(?:\.\d{1,6})?)(?: |$)/;

/** The text of an item, filled up to so many bytes; longer if its size does not have the room. In ASCII, without a line end. */
export function markText({ run, first, every, last }: Schedule, number: number, size: number): string {
  const text = `${SIGN}${run} ${number} ${last} ${Math.round(first * 1_000)} ${(every * 1_000).toFixed(3)} `;
  return text.padEnd(size, 'x');
}

/** When an item is due, in ms since the Unix epoch. */
export function dueOf({ first, every }: Schedule, number: number): number {
  return first + (number - 1) * every;
}

/** Number of the first item that is due at a moment or after it; it may be beyond the last. */
export function firstAfter({ first, every }: Schedule, moment: number): number {
  return Math.max(1, Math.ceil((moment - first) / every) + 1);
}

/** Reads marks. Every client gets the same text, so the last one that was read is kept. */
export class MarkReader {
  #text = '';
  #mark: Mark | undefined;
  #schedule: Schedule | undefined;

  /** Undefined of text that has none; of several the first. */
  read(text: string): Mark | undefined {
    if (text === this.#text) return this.#mark;
    const at = text.indexOf(SIGN);
    const found = at < 0 ? null : FORM.exec(text);
    this.#text = text;
    this.#mark = found === null ? undefined : this.#made(found);
    return this.#mark;
  }

  #made([, run = '', number, last, first, every]: RegExpExecArray): Mark | undefined {
    const said = { run, first: Number(first) / 1_000, every: Number(every) / 1_000, last: Number(last) };
    if (!(said.every > 0) || said.last > MAX_NUMBER || Number(number) > said.last) return undefined;
    const before = this.#schedule;
    const isSame = before?.run === said.run && before.first === said.first && before.last === said.last;
    if (!isSame || before.every !== said.every) this.#schedule = said;
    return { schedule: this.#schedule as Schedule, number: Number(number) };
  }
}
