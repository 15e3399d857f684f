/** Attacks on a whole node with the node edge, beside clients that must not notice. */
import { testAttacks } from './held-node.js';

testAttacks('node');
