import t from 'tap';
import { edgeContract } from './contract.js';
import { makeNodeEdge } from './node-edge-maker.js';

edgeContract(t, 'node', { make: makeNodeEdge });
