/** What backplanes do with items that have a version, as tests for each implementation. */
import { type Item, parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import type { Acceptance, Backplane, ItemMessage } from '../../dist/index.js';

let made = 0;

/** A message of this version. */
export function versioned(version: number | undefined, epoch?: string, id?: string): ItemMessage {
  const item: Item = parseItem({
    channel: 'a',
    ...(id !== undefined && { id }),
    ...(version !== undefined && { version }),
    ...(epoch !== undefined && { 'version-epoch': epoch }),
    formats: { 'http-stream': { content: `${version}` } },
  });
  return { type: 'item', item, id: id ?? `made-${++made}` };
}

/** `+` for what was accepted, `=` for a duplicate, `-` for what was stale. */
export const signs = (acceptances: readonly Acceptance[]): string =>
  acceptances.map(({ duplicate, stale }) => (stale ? '-' : duplicate ? '=' : '+')).join('');

/** Runs the clauses, each on a started backplane. */
export function versionContract(t: Test, name: string, start: (t: Test) => Promise<Backplane>): void {
  t.test(`${name}: of one version and older ones none is published after it`, async (t) => {
    const backplane = await start(t);
    t.equal(signs(await backplane.publish([versioned(5), versioned(5), versioned(4), versioned(6)])), '+--+');
    t.equal(signs(await backplane.publish([versioned(6), versioned(7)])), '-+');
    t.equal(signs(await backplane.publish([versioned(undefined), versioned(7)])), '+-', 'an item without one has none');
  });

  t.test(`${name}: another epoch is a later one`, async (t) => {
    const backplane = await start(t);
    t.equal(signs(await backplane.publish([versioned(5, 'x'), versioned(1, 'y'), versioned(1, 'y')])), '++-');
    t.equal(signs(await backplane.publish([versioned(0, 'new\nline'), versioned(0, 'new\nline')])), '+-');
  });

  t.test(`${name}: the greatest version counts exactly`, async (t) => {
    const backplane = await start(t);
    const max = Number.MAX_SAFE_INTEGER;
    t.equal(
      signs(await backplane.publish([versioned(max - 1), versioned(max), versioned(max - 1), versioned(max)])),
      '++--',
    );
  });

  t.test(`${name}: a stale item takes no offset, and its id is not remembered`, async (t) => {
    const backplane = await start(t);
    const [first] = await backplane.publish([versioned(2, '', 'one')]);
    const [stale] = await backplane.publish([versioned(1, '', 'two')]);
    t.strictSame(stale?.position, first?.position ?? stale?.position);
    t.equal(signs(await backplane.publish([versioned(3, '', 'two'), versioned(3, '', 'one')])), '+=');
  });
}
