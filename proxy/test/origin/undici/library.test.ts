/** undici, loaded in part and as a whole. */
import { createRequire } from 'node:module';
import t from 'tap';
import * as whole from 'undici';
import { loadUndici } from '../../../dist/origin/undici/library.js';

const real = createRequire(import.meta.url);

/** A `require` that fails for some of what is asked for, and notes it all. */
function requireWithout(isMissing: (name: string) => boolean, code: string) {
  const asked: string[] = [];
  const require = (name: string) => {
    asked.push(name);
    if (isMissing(name)) throw Object.assign(new Error(`no ${name}`), { code });
    return real(name);
  };
  return { asked, require: require as NodeJS.Require };
}

t.test('the parts are those that undici itself has', async (t) => {
  const { asked, require } = requireWithout(() => false, '');
  const { Client, buildConnector } = loadUndici(require);
  t.equal(Client, whole.Client);
  t.equal(buildConnector, whole.buildConnector);
  t.notOk(asked.includes('undici'));
});

for (const code of ['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED']) {
  t.test(`a release that has them elsewhere is loaded as a whole: ${code}`, async (t) => {
    const { require } = requireWithout((name) => name.includes('/'), code);
    t.equal(loadUndici(require).Client, whole.Client);
  });
}

t.test('what is wrong with them otherwise is not hidden', async (t) => {
  const { require } = requireWithout((name) => name.includes('/'), 'ERR_DLOPEN_FAILED');
  t.throws(() => loadUndici(require), { message: 'no undici/lib/dispatcher/client.js' });
});
