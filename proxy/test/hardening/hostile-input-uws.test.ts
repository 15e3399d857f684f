/** Hostile input of every kind, with the uws edge; `npm run fuzz` is the same for longer. */
import { testHostileInput } from './hostile-input.js';

testHostileInput('uws');
