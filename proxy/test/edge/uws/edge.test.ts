import t from 'tap';
import { edgeContract } from '../contract.js';
import { makeUwsEdge } from '../uws-edge-maker.js';
import { uwsLimits } from '../uws-limits.js';

edgeContract(t, 'uws', { make: makeUwsEdge, limits: uwsLimits });
