/** A clock that stands still until a test moves it: the one of the control API's tests, as the proxy's parts take it. */
import { ManualClock as SharedClock } from '../../../control-api/dist-test/manual-clock.js';
import type { Clock, Timer } from '../../dist/runtime/clock.js';

export class ManualClock extends SharedClock<Timer> implements Clock {}
