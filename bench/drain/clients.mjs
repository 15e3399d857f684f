// The program that is some of the clients of the drain: one command by IPC, one answer.
//
//   open    { base, from, to }  opens the clients with these numbers; answers when all are held, or after a while
//   back                        answers when all are held again, or after a while
//   has     { published }       answers when all have the last item of their channel, or after a while
//   report  { published }       answers with the report
import { setTimeout as delay } from 'node:timers/promises';
import { opens } from './holds.mjs';
import { placeOf } from './mix.mjs';
import { Client, Sight } from './sight.mjs';

/** For all to be opened. */
const OPEN_LIMIT_MS = 180_000;
/** Opened at the same time. */
const CONCURRENT = 32;
/** For all to be held again, or to have the last item. */
const LIMIT_MS = 30_000;
/** Between two looks. */
const LOOK_MS = 50;

const sight = new Sight();

/** @param {{ base: string, from: number, to: number }} share */
async function open({ base, from, to }) {
  let next = from;
  const lane = async () => {
    while (next < to) {
      const { kind, channel } = placeOf(next++);
      const client = new Client(kind, channel);
      sight.clients.push(client);
      await opens[kind](client, sight, base);
    }
  };
  const all = Promise.all(Array.from({ length: CONCURRENT }, lane));
  await Promise.race([all, delay(OPEN_LIMIT_MS, undefined, { ref: false })]);
}

/** @param {() => boolean} isTrue */
async function wait(isTrue) {
  const deadline = Date.now() + LIMIT_MS;
  while (!isTrue() && Date.now() < deadline) await delay(LOOK_MS);
}

/** @param {any} command */
async function carryOut(command) {
  if (command.do === 'open') await open(command);
  if (command.do === 'back') await wait(() => sight.held === sight.clients.length);
  if (command.do === 'has') await wait(() => sight.hasAll(command.published));
  return command.do === 'report' ? sight.report(command.published) : { held: sight.held };
}

process.on('message', async (command) => {
  process.send?.(await carryOut(command));
});
process.on('disconnect', () => process.exit());
