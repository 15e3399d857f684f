/** Hostile input of every kind, with the node edge; `npm run fuzz` is the same for longer. */
import { testHostileInput } from './hostile-input.js';

testHostileInput('node');
