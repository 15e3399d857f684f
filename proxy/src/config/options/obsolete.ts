/**
 * Keys of a pushpin.conf that Holdfast has no use for.
 *
 * Owns: which of them are passed over without a word and which get a warning.
 */

/** How Pushpin's processes find and reach each other: means nothing here, and is in every shipped file. */
const wiring = [
  /^runner\.services$/,
  /^global\.include$/,
  /^proxy\.(command|stats)_spec$/,
  /^(proxy|handler)\.(connmgr|condure|m2a|zurl|handler|intreq|proxy|retry|ws_control|inspect|accept|stats_proxy)_.*specs?$/,
];

/** Keys of old or rare features, with what a reader should know. */
const retired: readonly (readonly [RegExp, string])[] = [
  [/^runner\.\w+_bin$/, 'Holdfast has no helper programs'],
  [/^proxy\.(updates_check|organization_name)$/, 'Holdfast never reports to anybody'],
  [/^handler\.state_spec$/, 'external session state is not supported'],
  [/^handler\.share_all$/, 'sharing of requests is not supported'],
];

/** Undefined: the key is unknown. Empty: pass over it. Otherwise why it has no effect. `name` is `section.key`. */
export function obsoleteKey(name: string): string | undefined {
  if (wiring.some((pattern) => pattern.test(name))) return '';
  return retired.find(([pattern]) => pattern.test(name))?.[1];
}
