/**
 * The echo origin as a process of its own, so that it can die: `node echo-process.js KIND PORT`. Prints `listening on
 * http://…`, then what happens, a line each.
 */
import { type Kind, listen } from './echo-origin.js';

const [kind, port] = process.argv.slice(2) as [Kind, string];
const { target } = await listen(kind, { port: Number(port), note: (line) => console.log(line) });
console.log(`listening on http://${target}`);
