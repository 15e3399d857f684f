import t from 'tap';
import {
  decodeBatch,
  encodeBatch,
  type PrimaryMessage,
  type WorkerMessage,
} from '../../../dist/backplane/workers/link-batch.js';

t.test('batch: messages of all kinds come out in order, with exact names', (t) => {
  const names = ['', 'room', 'é€😀', '\ud800', '\0'];
  const fromWorker: WorkerMessage[] = [
    ['start', 1],
    ...names.flatMap((name, i): WorkerMessage[] => [
      ['subscribe', 2 ** 40 + i, name],
      ['unsubscribe', name],
    ]),
    ['publish', 3, [Buffer.from('one'), Buffer.alloc(0)]],
    ['read', 4, 'room', { after: { epoch: 'e', offset: 5 } }, 10],
    ['head', 5, '\ud800'],
    ['close', 6],
  ];
  const fromPrimary: PrimaryMessage[] = [
    ['message', Buffer.from('item')],
    ['message', Buffer.alloc(0)],
    ['done', 2 ** 40, undefined],
    ['done', 2, [{ duplicate: false, nodes: 1 }]],
    ['failed', 3, 'ERR_BACKPLANE_UNAVAILABLE', 'The store is away.'],
    ['gap', { channel: 'a', reason: 'epoch', after: { epoch: 'e', offset: 1 }, until: undefined }],
    ['unavailable', undefined],
    ['message', Buffer.from('last')],
  ];
  t.strictSame([...decodeBatch<WorkerMessage>(encodeBatch(fromWorker))], fromWorker);
  t.strictSame([...decodeBatch<PrimaryMessage>(encodeBatch(fromPrimary))], fromPrimary);
  t.strictSame([...decodeBatch(encodeBatch([]))], []);
  t.end();
});
