/** `/drain`: who may have the clients of a node go, and what is answered. What a drain does is the node's. */
import t, { type Test } from 'tap';
import { ControlAccess, type DrainPhase, KeyTable, type NodeDrainPort, silentLog } from '../dist/index.js';
import { keys } from './auth/keys-scene.js';
import { type FixtureOptions, startControl } from './control-fixture.js';
import { ManualClock } from './manual-clock.js';

/** A node of twelve holds, that begins at once. */
class ScriptedDrain implements NodeDrainPort {
  phase: DrainPhase = 'serving';
  begun = 0;

  get state() {
    return { state: this.phase, holds: 12, connections: 13 };
  }

  async begin(): Promise<void> {
    this.begun++;
    if (this.phase === 'serving') this.phase = 'draining';
  }

  takeBack(): boolean {
    if (this.phase === 'stopping') return false;
    this.phase = 'serving';
    return true;
  }
}

async function start(t: Test, options: FixtureOptions = {}) {
  const drain = new ScriptedDrain();
  const { ask } = await startControl(t, { drain, ...options });
  const answer = async (method: string, headers: Record<string, string> = {}, path = '/drain') => {
    const { status, body } = await ask(method, path, headers);
    return { status, view: JSON.parse(body.toString()) as object };
  };
  return { drain, ask, answer };
}

t.test('it begins once, is shown, and is taken back; each answer says how far it is', async (t) => {
  const { drain, answer } = await start(t);
  const serving = { status: 200, view: { state: 'serving', holds: 12, connections: 13 } };
  const draining = { status: 200, view: { state: 'draining', holds: 12, connections: 13 } };
  t.strictSame(await answer('GET'), serving);
  t.strictSame(await answer('POST'), draining);
  t.strictSame(await answer('POST', {}, '/drain/'), draining, 'again changes nothing');
  t.strictSame(await answer('GET'), draining);
  drain.phase = 'drained';
  t.strictSame(await answer('GET'), { status: 200, view: { ...draining.view, state: 'drained' } });
  t.strictSame(await answer('DELETE'), serving);
  t.strictSame(await answer('DELETE'), serving);
});

t.test('a node that is stopping does not take it back', async (t) => {
  const { drain, answer } = await start(t);
  drain.phase = 'stopping';
  t.strictSame(await answer('POST'), { status: 200, view: { state: 'stopping', holds: 12, connections: 13 } });
  t.strictSame(await answer('DELETE'), {
    status: 409,
    view: {
      message: 'This node is stopping: its drain cannot be taken back.',
      code: 'ERR_CONTROL_DRAIN',
      state: 'stopping',
      holds: 12,
      connections: 13,
    },
  });
});

t.test('other methods are none of its', async (t) => {
  const { drain, ask } = await start(t);
  for (const method of ['PUT', 'PATCH']) {
    const answer = await ask(method, '/drain');
    t.equal(answer.status, 405);
    t.equal(answer.headers.allow, 'GET, POST, DELETE');
  }
  t.equal(drain.begun, 0);
});

t.test('with keys it needs one that may end any connection, and a page may not at all', async (t) => {
  const [all, some, looks] = [
    'a-key-for-all-channels-0123456',
    'a-key-for-some-channels-012345',
    'a-key-that-looks-0123456789012',
  ];
  const table = new KeyTable(
    keys(
      { id: 'all', key: all, allow: ['disconnect'] },
      { id: 'some', key: some, allow: ['disconnect', 'view'], channels: ['b'] },
      { id: 'looks', key: looks, allow: ['view', 'publish'] },
    ),
  );
  const access = new ControlAccess(table, new ManualClock(), silentLog);
  const { drain, ask } = await start(t, { access });
  const status = async (method: string, headers: Record<string, string>) =>
    (await ask(method, '/drain', headers)).status;
  const key = (value: string) => ({ 'X-API-Key': value });
  for (const method of ['POST', 'DELETE']) {
    t.equal(await status(method, {}), 401);
    t.equal(await status(method, key(some)), 403);
    t.equal(await status(method, key(looks)), 403);
    t.equal(await status(method, { ...key(all), Origin: 'http://evil.example' }), 403);
    t.equal(drain.begun, 0);
  }
  t.equal(await status('GET', key(looks)), 200);
  t.equal(await status('GET', key(all)), 403);
  t.equal(await status('POST', key(all)), 200);
  t.equal(drain.phase, 'draining');
});
