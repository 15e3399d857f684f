import t from 'tap';
import { follow } from './quickstart.js';

t.test('the quick start for Go keeps its promise', (t) =>
  follow(t, {
    page: 'go',
    port: 8000,
    build: ['go', 'build', '-o', 'app', 'main.go'],
    start: () => ({ command: './app', args: [] }),
  }),
);
