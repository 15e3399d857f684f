/** Attacks on a whole node with the uws edge, beside clients that must not notice. */
import { testAttacks } from './held-node.js';

testAttacks('uws');
