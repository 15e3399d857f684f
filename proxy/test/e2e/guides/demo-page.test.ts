/** The page that `npm run demo` names, in a real browser: one press reaches one client of each kind. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { startDemo } from './demo.js';

const needed = { skip: !hasChromium() && 'chromium is not installed' };

t.test('one client of each kind, as the page offers them, gets what is in its fields', needed, async (t) => {
  const { npm } = await startDemo(t);
  const [, address = ''] = /(http:\S+\/ui\/#\/try)\n/.exec(npm.stdout) ?? [];
  const browser = await Chromium.start(t);
  const { page, problems } = await browser.watch(address);
  await page.show(1_100, 780, 'light');
  await page.until(`document.querySelector('main [data-view=try][data-shown]') !== null`);
  for (const kind of ['stream', 'events', 'poll', 'socket']) {
    await page.evaluate(`{ const kind = document.getElementById('try-kind'); kind.value = '${kind}';
      kind.dispatchEvent(new Event('change')); }`);
    await page.click('try-open');
  }
  await page.until(`fetch('/ui/api/channels/test').then((answer) => answer.json())
    .then(({ subscribers: { ws, stream, response } }) => ws === 1 && stream === 2 && response === 1)`);
  await page.click('publish');
  await page.until(`[...document.querySelectorAll('[data-client] .lines')]
    .filter((lines) => /\\+[0-9.]+ ms.*hello sent-at=/s.test(lines.textContent)).length === 4`);
  t.strictSame(problems, []);
  // The picture of README.md, where `PAGE_PICTURES` names a folder.
  const folder = process.env.PAGE_PICTURES;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'try.png'), await page.picture(1_100, 780));
});
