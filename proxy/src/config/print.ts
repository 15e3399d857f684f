/**
 * The effective configuration as a Holdfast YAML file, for `holdfast print-config`.
 *
 * Owns: which options are shown, and that secrets are not. Does not own: the values.
 */

import { formatYamlEntry } from './files/yaml-file.js';
import type { Settings } from './setting.js';
import { isIgnored, options, type Values } from './table.js';
import { formatValue } from './value.js';

/**
 * YAML that gives the same configuration when it is loaded, from whatever directory, without a warning. A secret appears as
 * a comment, or by the path of its file when it came from one; an option that the edge ignores as a comment too.
 */
export function printConfig(values: Values, sources: Settings): string {
  const lines = ['# The effective configuration of holdfast. Secrets are left out.\n'];
  for (const option of options) {
    const { key } = option;
    const value = values[key as keyof Values];
    const where = sources.get(key)?.where;
    if (option.type === 'secret') {
      if (!sources.has(`${key}_file`))
        lines.push(`# ${key}: <redacted>${where === undefined ? ' (the default)' : ''}\n`);
    } else if (value !== undefined) {
      const entry = formatYamlEntry(key, formatValue(option, value));
      lines.push(isIgnored(option, values) ? `# no effect with edge: uws: ${entry}` : entry);
    }
  }
  return lines.join('');
}
