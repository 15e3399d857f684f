import t from 'tap';
import { follow } from './quickstart.js';

t.test('the quick start for PHP keeps its promise', (t) =>
  follow(t, {
    page: 'php',
    port: 8000,
    start: (port) => ({ command: 'php', args: ['-S', `127.0.0.1:${port}`, 'index.php'] }),
  }),
);
