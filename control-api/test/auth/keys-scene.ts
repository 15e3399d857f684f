/** Keys for tests: from members as they stand in a keys file to the access of a node. */
import {
  ControlAccess,
  type ControlKey,
  type KeyEntry,
  type KeysRead,
  KeyTable,
  readKeyEntries,
} from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';

/** An entry that begins at this line, each member on a line of its own. */
export function entry(members: Readonly<Record<string, unknown>>, line = 1): KeyEntry {
  const rows = Object.entries(members).map(([name, value], i) => [name, { value, line: line + i }] as const);
  return { line, members: new Map(rows) };
}

/** What entries, ten lines each, come to; files by their paths. */
export function read(
  entries: readonly Readonly<Record<string, unknown>>[],
  files: Readonly<Record<string, string>> = {},
): KeysRead {
  return readKeyEntries(
    entries.map((members, i) => entry(members, 1 + 10 * i)),
    (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
  );
}

/** The keys of entries that are right. */
export function keys(...entries: readonly Readonly<Record<string, unknown>>[]): readonly ControlKey[] {
  const { keys, problems } = read(entries);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return keys;
}

/** A node's access with these keys, and a clock that stands at 2026-01-01. */
export function access(...entries: readonly Readonly<Record<string, unknown>>[]) {
  const clock = new ManualClock(1_000, Date.UTC(2026, 0, 1));
  const log = new RecordingLog();
  const made = new ControlAccess(new KeyTable(keys(...entries)), clock, log);
  /** Who a request with this field is: the name of a key, or the status and the reason of a refusal. */
  const who = async (value: string, name = 'Authorization') => {
    const found = await made.identify({ rawHeaders: [name, value] });
    return 'status' in found ? `${found.status} ${found.logged?.reason ?? ''}`.trim() : found.name;
  };
  return { access: made, clock, log, who, now: () => Math.floor(clock.wall() / 1_000) };
}
