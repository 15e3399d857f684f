/** A whole node in one process, composed by the product, with what a test puts in the place of its parts. */
import t from 'tap';
import { startApp } from '../kit/app.js';
import { open } from '../kit/clients/http-client.js';
import { ManualClock } from '../kit/manual-clock.js';
import { responseHold } from '../kit/origins/origin.js';
import { ScriptedOrigin } from '../kit/origins/scripted-origin.js';

for (const edge of ['node', 'uws']) {
  t.test(`${edge}: a long poll is answered when its time is over by the clock that the node is given`, async (t) => {
    const origin = await ScriptedOrigin.start(t);
    const path = origin.script({ headers: responseHold('news', { 'Grip-Timeout': '20' }), body: 'nothing new' });
    const clock = new ManualClock();
    const app = await startApp(t, { routes: [`* ${origin.target}`], settings: { edge }, overrides: { clock } });
    let isAnswered = false;
    const answer = open(t, `${app.url()}${path}`).finally(() => {
      isAnswered = true;
    });
    t.match(await app.end(1), { hold: 'response', status: 200 });
    clock.advance(19_999);
    await fetch(`${app.url()}/other`);
    t.notOk(isAnswered, 'a request that came later is answered first');
    clock.advance(1);
    t.equal(await (await answer).end(), 'complete');
    t.equal((await answer).text, 'nothing new');
  });
}
