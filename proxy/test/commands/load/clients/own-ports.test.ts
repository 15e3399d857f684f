import t from 'tap';
import { OwnPorts, portRange } from '../../../../dist/commands/load/clients/own-ports.js';

t.test('without addresses the system chooses', (t) => {
  const own = new OwnPorts([]);
  t.equal(own.count, 0);
  t.same([own.take(0), own.take(1), own.address(0)], [{}, {}, {}]);
  t.end();
});

t.test('each address has its ports in turn, from any one on and around', { skip: portRange() === undefined }, (t) => {
  const { low, high } = portRange() as { low: number; high: number };
  const own = new OwnPorts(['127.0.0.2', '127.0.0.3'], () => 1 - Number.EPSILON);
  t.same(own.take(0), { localAddress: '127.0.0.2', localPort: high });
  t.same(own.take(2), { localAddress: '127.0.0.2', localPort: low });
  t.same(own.take(1), { localAddress: '127.0.0.3', localPort: high });
  t.same(own.address(3), { localAddress: '127.0.0.3' });
  t.end();
});
