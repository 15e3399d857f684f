/**
 * The contract of `History` as tests. Every backplane that keeps history runs it; what is particular to one is tested
 * beside it.
 */
import type { Test } from 'tap';
import type { Backplane, History, HistoryPage, Position } from '../../dist/index.js';
import { streamMessage } from '../items.js';
import { RecordingListener } from '../recorder.js';

/** A backplane with history under test, not yet started. */
export interface HistoryNode {
  readonly backplane: Backplane & History;
  /** Releases what is left after it was closed. */
  dispose?(): Promise<void>;
}

/** Runs the contract on a fresh backplane per clause, whose history keeps `size` items on each channel. */
export function historyContract(
  t: Test,
  name: string,
  makeNode: (size: number) => Promise<HistoryNode>,
  size = 10,
): void {
  const clause = (title: string, run: (t: Test, backplane: Backplane & History) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const { backplane, dispose } = await makeNode(size);
      t.teardown(async () => {
        await backplane.close();
        await dispose?.();
      });
      await backplane.start(new RecordingListener());
      await run(t, backplane);
    });
  readingClauses(clause);
  holeClauses(clause, size);
  positionClauses(clause);
  lastClauses(clause, size);
  removalClauses(clause);
}

type Clause = (title: string, run: (t: Test, backplane: Backplane & History) => Promise<void>) => void;

/** Publishes items with these ids to channel `a`, and gives their positions. */
async function publish(backplane: Backplane, ...ids: readonly string[]): Promise<Position[]> {
  const acceptances = await backplane.publish(ids.map((id) => streamMessage('a', `content ${id}`, id)));
  return acceptances.map(({ position }) => {
    if (position === undefined) throw new Error('no position');
    return position;
  });
}

const idsOf = (page: HistoryPage | undefined) => page?.messages.map(({ id }) => id);

function readingClauses(clause: Clause): void {
  clause('what follows an id is read, in order, each item with its position', async (t, backplane) => {
    const positions = await publish(backplane, '1', '2', '3');
    const page = await backplane.read('a', { afterId: '1' }, 100);
    t.strictSame(idsOf(page), ['2', '3']);
    t.strictSame(
      page?.messages.map(({ position }) => position),
      positions.slice(1),
    );
    t.match(page, { end: positions[2], complete: true });
    t.equal(String(page?.messages[0]?.item.formats.httpStream?.action), 'send');
  });

  clause('what follows a position is read, with or without a subscription', async (t, backplane) => {
    const [first] = await publish(backplane, '1', '2');
    await backplane.subscribe('a');
    const [third] = await publish(backplane, '3');
    const page = await backplane.read('a', { after: first as Position }, 100);
    t.strictSame(idsOf(page), ['2', '3']);
    t.match(page, { end: third, complete: true });
  });

  clause('after the newest item there is nothing, and that is complete', async (t, backplane) => {
    const [, newest] = await publish(backplane, '1', '2');
    for (const start of [{ afterId: '2' }, { after: newest as Position }]) {
      t.strictSame(await backplane.read('a', start, 100), { messages: [], end: newest, complete: true });
    }
  });

  clause('a limit cuts a page off, and its end is where to go on', async (t, backplane) => {
    await publish(backplane, '1', '2', '3', '4');
    const first = await backplane.read('a', { afterId: '1' }, 2);
    t.strictSame(idsOf(first), ['2', '3']);
    t.equal(first?.complete, false);
    const second = await backplane.read('a', { after: first?.end as Position }, 2);
    t.strictSame(idsOf(second), ['4']);
    t.equal(second?.complete, true);
  });

  clause('channels have histories of their own', async (t, backplane) => {
    await publish(backplane, '1', '2');
    await backplane.publish([streamMessage('b', 'x', '1'), streamMessage('b', 'y', '9')]);
    t.strictSame(idsOf(await backplane.read('b', { afterId: '1' }, 100)), ['9']);
  });
}

function holeClauses(clause: Clause, size: number): void {
  clause('an id that is not kept cannot be read from', async (t, backplane) => {
    await publish(backplane, '1');
    t.equal(await backplane.read('a', { afterId: 'unknown' }, 100), undefined);
    t.equal(await backplane.read('nothing', { afterId: '1' }, 100), undefined);
  });

  clause('where items after the start are gone there is no page, not one with a hole', async (t, backplane) => {
    const [first] = await publish(backplane, '0');
    // Stores may trim in blocks, so well beyond the cap.
    const ids = Array.from({ length: size * 50 }, (_, i) => `n${i}`);
    const positions = await publish(backplane, ...ids);
    t.equal(await backplane.read('a', { after: first as Position }, 100), undefined);
    t.equal(await backplane.read('a', { afterId: '0' }, 100), undefined);
    const last = positions.slice(-3);
    const page = await backplane.read('a', { after: last[0] as Position }, 100);
    t.strictSame(idsOf(page), ids.slice(-2));
  });

  clause('a position of another epoch, or of the future, cannot be read from', async (t, backplane) => {
    const [first] = await publish(backplane, '1');
    const { epoch, offset } = first as Position;
    t.equal(await backplane.read('a', { after: { epoch: `${epoch}x`, offset } }, 100), undefined);
    t.equal(await backplane.read('a', { after: { epoch, offset: offset + 1 } }, 100), undefined);
  });

  clause('a closed backplane refuses to read', async (t, backplane) => {
    await backplane.close();
    await t.rejects(backplane.read('a', { afterId: '1' }, 1), { code: 'ERR_BACKPLANE_CLOSED' });
    await t.rejects(backplane.head('a'), { code: 'ERR_BACKPLANE_CLOSED' });
  });
}

function positionClauses(clause: Clause): void {
  clause('offsets begin at 1 and grow by 1 on each channel', async (t, backplane) => {
    const positions = [...(await publish(backplane, '1', '2')), ...(await publish(backplane, '3'))];
    t.strictSame(
      positions.map(({ offset }) => offset),
      [1, 2, 3],
    );
    t.equal(new Set(positions.map(({ epoch }) => epoch)).size, 1);
  });

  clause('the head is where the newest item stands', async (t, backplane) => {
    const [, newest] = await publish(backplane, '1', '2');
    t.strictSame(await backplane.head('a'), newest);
  });

  clause('what follows the head of a channel can be read later', async (t, backplane) => {
    await publish(backplane, '1');
    await backplane.subscribe('a');
    const head = await backplane.head('a');
    await publish(backplane, '2', '3');
    t.strictSame(idsOf(await backplane.read('a', { after: head as Position }, 100)), ['2', '3']);
  });
}

function lastClauses(clause: Clause, size: number): void {
  clause('the last items are read in order, and their page ends with the newest', async (t, backplane) => {
    const [, , newest] = await publish(backplane, '1', '2', '3');
    const page = await backplane.read('a', { last: 2 }, 100);
    t.strictSame(idsOf(page), ['2', '3']);
    t.match(page, { end: newest, complete: true });
    t.strictSame(idsOf(await backplane.read('a', { last: Number.MAX_SAFE_INTEGER }, 100)), ['1', '2', '3']);
  });

  clause('a limit cuts the last items off behind, and the rest follows', async (t, backplane) => {
    await publish(backplane, '1', '2', '3', '4');
    const page = await backplane.read('a', { last: 3 }, 2);
    t.strictSame(idsOf(page), ['2', '3']);
    t.equal(page?.complete, false);
    t.strictSame(idsOf(await backplane.read('a', { after: page?.end as Position }, 100)), ['4']);
  });

  clause('those before a position are read too, and of another epoch none', async (t, backplane) => {
    const positions = await publish(backplane, '1', '2', '3', '4');
    const before = positions[2] as Position;
    const page = await backplane.read('a', { last: 1, before }, 100);
    t.strictSame(idsOf(page), ['2']);
    t.match(page, { end: positions[1], complete: true });
    t.strictSame(idsOf(await backplane.read('a', { last: 9, before }, 100)), ['1', '2']);
    t.strictSame(idsOf(await backplane.read('a', { last: 9, before: positions[0] as Position }, 100)), []);
    t.equal(await backplane.read('a', { last: 1, before: { ...before, epoch: `${before.epoch}x` } }, 100), undefined);
  });

  clause('a channel that has had no item has no last ones', async (t, backplane) => {
    t.match(await backplane.read('nothing', { last: 5 }, 100), { messages: [], end: { offset: 0 }, complete: true });
  });

  clause('of the last items those that are kept are read', async (t, backplane) => {
    const ids = Array.from({ length: size * 3 }, (_, i) => `${i}`);
    const newest = (await publish(backplane, ...ids)).at(-1);
    const page = await backplane.read('a', { last: ids.length }, ids.length);
    t.strictSame(idsOf(page), ids.slice(-size));
    t.strictSame(page?.end, newest);
  });

  clause('where a channel stood before its items, all of them are read', async (t, backplane) => {
    await publish(backplane, '1', '2');
    const stood = await backplane.head('a', 60_000);
    t.equal(stood?.offset, 0);
    t.strictSame(idsOf(await backplane.read('a', { after: stood as Position }, 100)), ['1', '2']);
  });

  clause('where it stood at a time from which items are gone, nothing is read', async (t, backplane) => {
    await publish(backplane, ...Array.from({ length: size * 3 }, (_, i) => `${i}`));
    const stood = await backplane.head('a', 60_000);
    t.equal(await backplane.read('a', { after: stood as Position }, 100), undefined);
  });
}

function removalClauses(clause: Clause): void {
  clause('items that were removed are gone, and the count goes on', async (t, backplane) => {
    const [first] = await publish(backplane, '1', '2');
    await backplane.remove('a');
    t.equal(await backplane.read('a', { after: first as Position }, 100), undefined);
    t.strictSame(idsOf(await backplane.read('a', { last: 10 }, 100)), []);
    const [third] = await publish(backplane, '3');
    t.strictSame(third, { epoch: first?.epoch, offset: 3 });
    t.strictSame(idsOf(await backplane.read('a', { last: 10 }, 100)), ['3']);
    await backplane.remove('nothing');
  });

  clause('a closed backplane removes nothing', async (t, backplane) => {
    await backplane.close();
    await t.rejects(backplane.remove('a'), { code: 'ERR_BACKPLANE_CLOSED' });
  });
}
