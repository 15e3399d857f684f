/**
 * The one table of options, made of the rows in `options/`. Parsing of file, environment and flags, validation, `--help`,
 * docs/config.md, and the type of what the parts of Holdfast receive come from it.
 */
import { nearest } from '../runtime/legible.js';
import type { Option, OptionName, OptionValue } from './option.js';
import { callbackOptions } from './options/callback-options.js';
import { clientOptions } from './options/client-options.js';
import { controlOptions } from './options/control-options.js';
import { deliveryOptions } from './options/delivery-options.js';
import { eventOptions } from './options/event-options.js';
import { forwardingOptions } from './options/forwarding-options.js';
import { nodeOptions } from './options/node-options.js';
import { processOptions } from './options/process-options.js';
import { telemetryOptions } from './options/telemetry-options.js';
import { xmppOptions } from './options/xmpp-options.js';

const rows = [
  ...clientOptions,
  ...xmppOptions,
  ...forwardingOptions,
  ...controlOptions,
  ...deliveryOptions,
  ...nodeOptions,
  ...eventOptions,
  ...callbackOptions,
  ...telemetryOptions,
  ...processOptions,
] as const;

/** A row of the table, with its literal types. */
export type OptionRow = (typeof rows)[number];

/**
 * The value of every option, typed by its row. The name is that of the file in camel case: `client_buffer_size` is
 * `clientBufferSize` here and in all code. Durations are in ms, sizes in bytes, paths absolute. An option that is not set and
 * has no default is undefined.
 */
export type Options = { readonly [R in OptionRow as OptionName<R['key']>]: OptionValue<R> };

/** `sig_key` ⇒ `sig_key_file`, so that a secret can be mounted as a file. */
function secretFile(secret: Option): Option {
  return {
    key: `${secret.key}_file`,
    group: secret.group,
    type: 'path',
    base: 'config',
    secretFor: secret.key,
    doc: `File that holds \`${secret.key}\`; one newline at its end is left out.`,
  };
}

/** Every option, in the order of `--help` and docs/config.md, with a `<key>_file` companion after each secret. */
export const options: readonly Option[] = rows.flatMap((row: Option) =>
  row.type === 'secret' ? [row, secretFile(row)] : [row],
);

const byKey = new Map(options.map((option) => [option.key, option]));
const byPushpinKey = new Map(
  options.flatMap((option) => (option.pushpin ?? []).map((name) => [name, option] as const)),
);

/** The option with this key. */
export function optionByKey(key: string): Option | undefined {
  return byKey.get(key);
}

/**
 * The option that a pushpin.conf means by `section.key`. Beyond Pushpin's own names a `[holdfast]` section may hold any
 * option under its Holdfast key.
 */
export function optionByPushpinKey(name: string): Option | undefined {
  return name.startsWith('holdfast.') ? byKey.get(name.slice('holdfast.'.length)) : byPushpinKey.get(name);
}

/** The key of an option that looks most like `key`, for error lines. */
export function nearestKey(key: string): string {
  return nearest(
    key,
    options.filter((option) => option.hidden !== true).map((option) => option.key),
  );
}

/** Whether the edge that is chosen makes nothing of this option. */
export function isIgnored(option: Option, { edge }: Pick<Options, 'edge'>): boolean {
  return edge === 'uws' && option.uws?.effect === 'ignored';
}

/** The `section.key` of a pushpin.conf that looks most like `name`, for warnings. */
export function nearestPushpinKey(name: string): string {
  return nearest(name, [...byPushpinKey.keys()]);
}
