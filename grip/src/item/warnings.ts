/** What of published items means nothing to Holdfast: formats and members that it does not know, as texts for their publisher. */
import { isJsonObject, type JsonObject, quoted } from '../wire/fields.js';
import { formatKeys, formatRows, listFormats } from './formats.js';

/** The members of an item that `parseItem` looks at; the names of formats too, where it has no `formats`. */
export const itemMembers: ReadonlySet<string> = new Set([
  'channel',
  'channels',
  'id',
  'prev-id',
  'formats',
  'meta',
  'size',
  'no-seq',
  'deliver',
  'version',
  'version-epoch',
]);

/**
 * @limit {} warnings in the receipt of one item
 * @over the others are left out
 */
export const MAX_ITEM_WARNINGS = 8;

/**
 * @limit {} warnings in the receipts of one publish
 * @over the others are left out
 */
export const MAX_WARNINGS = 100;

/** The names of formats, and what stands for an item of unknown formats on its way between nodes. */
const knownFormats = new Map<string, ReadonlySet<string> | undefined>([['none', undefined]]);
for (const key of formatKeys) knownFormats.set(formatRows[key].name, formatRows[key].members);

/** Collects the warnings of one publish. */
export class ItemWarnings {
  readonly #items: (readonly string[] | undefined)[] = [];
  #left = MAX_WARNINGS;

  /** The next one of a body, which makes as many items. */
  add(item: JsonObject, count = 1): void {
    const found = this.#left === 0 ? [] : warningsOf(item, Math.min(this.#left, MAX_ITEM_WARNINGS));
    this.#left -= found.length;
    for (let i = 0; i < count; i++) this.#items.push(found.length === 0 ? undefined : found);
  }

  /** Those of an item by its place in the publish; undefined where there are none. */
  at(place: number): readonly string[] | undefined {
    return this.#items[place];
  }
}

/** At most so many, each with at most a line of what the publisher wrote. */
function warningsOf(item: JsonObject, max: number): string[] {
  const warnings: string[] = [];
  const { formats } = item;
  const explicit = Object.hasOwn(item, 'formats') && isJsonObject(formats) ? formats : undefined;
  for (const name of Object.keys(item)) {
    if (warnings.length === max) return warnings;
    if (itemMembers.has(name)) continue;
    if (explicit === undefined && knownFormats.has(name)) continue;
    warnings.push(`unknown member ${quoted(name)} of the item`);
  }
  const from = explicit ?? item;
  for (const name of Object.keys(from)) {
    const isKnown = knownFormats.has(name);
    if (!isKnown && explicit !== undefined) {
      if (warnings.length === max) return warnings;
      warnings.push(`unknown format ${quoted(name)}: known are ${listFormats('and')}`);
    }
    const members = knownFormats.get(name);
    const format = from[name];
    if (members === undefined || !isJsonObject(format)) continue;
    for (const member of Object.keys(format)) {
      if (members.has(member)) continue;
      if (warnings.length === max) return warnings;
      warnings.push(`unknown member ${quoted(member)} of '${name}'`);
    }
  }
  return warnings;
}
