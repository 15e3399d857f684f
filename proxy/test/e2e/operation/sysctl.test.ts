/** The kernel settings of deploy/sysctl.d: lines that sysctl can read, for keys that there are, each with its reason. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../../kit/child.js';

const lines = readFileSync(join(root, 'deploy', 'sysctl.d', '60-holdfast.conf'), 'utf8').split('\n');
const settings = lines.flatMap((line, index) => (line === '' || line.startsWith('#') ? [] : [{ line, index }]));
const fileOf = (key: string) => join('/proc/sys', ...key.split('.'));

t.test('each line is a key and as many whole numbers as the kernel has there', (t) => {
  t.ok(settings.length > 8);
  for (const { line, index } of settings) {
    const [, optional, key = '', value = ''] = /^(-?)([a-z0-9_.-]+) = (\d+(?: \d+)*)$/.exec(line) ?? [];
    t.not(key, '', line);
    const reason = lines
      .slice(0, index)
      .reverse()
      .find((text) => text.startsWith('#') || text === '');
    t.match(reason, /^#/, `${key} has a reason`);
    const file = fileOf(key);
    // Containers have some of the keys only, and those of a module are there while it is loaded.
    if (!existsSync(file)) t.equal(optional, '-', `${key} is not here, and may be missing`);
    else t.equal(readFileSync(file, 'utf8').trim().split(/\s+/).length, value.split(' ').length, key);
  }
  t.equal(new Set(settings.map(({ line }) => line.split(' ')[0])).size, settings.length);
  t.end();
});
