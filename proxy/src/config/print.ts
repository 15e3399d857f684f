/** The effective configuration as a Holdfast YAML file without secrets, for `holdfast print-config`. */
import { formatYamlEntry } from './files/yaml-file.js';
import { optionName } from './option.js';
import { formatOption } from './parse-option.js';
import type { Resolved } from './resolve.js';
import { isIgnored, type Options, options } from './table.js';

/**
 * YAML that gives the same configuration when it is loaded, from whatever directory, without a warning. A secret appears as
 * a comment, or by the path of its file when it came from one; an option that the edge ignores as a comment too.
 */
export function printConfig({ options: values, given }: Resolved): string {
  const lines = ['# The effective configuration of holdfast. Secrets are left out.\n'];
  for (const option of options) {
    const { key } = option;
    const value = values[optionName(key) as keyof Options];
    const where = given.get(key)?.where;
    if (option.type === 'secret') {
      if (!given.has(`${key}_file`)) lines.push(`# ${key}: <redacted>${where === undefined ? ' (the default)' : ''}\n`);
    } else if (value !== undefined) {
      const entry = formatYamlEntry(key, formatOption(option, value));
      lines.push(isIgnored(option, values) ? `# no effect with edge: uws: ${entry}` : entry);
    }
  }
  return lines.join('');
}
