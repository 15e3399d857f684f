import t from 'tap';
import { mergeAnswers, readChannelView, sumChannelViews } from '../../dist/index.js';

const view = (response: number, stream: number, ws: number, position?: { epoch: string; offset: number }) => ({
  subscribers: { response, stream, ws },
  ...(position !== undefined && { position }),
});

t.test('subscribers are added up by kind', async (t) => {
  t.strictSame(sumChannelViews([view(1, 2, 3), view(10, 20, 30)]), view(11, 22, 33));
  t.strictSame(sumChannelViews([]), view(0, 0, 0));
});

t.test('the furthest position of one epoch is shown; where epochs differ none is', async (t) => {
  const [at3, at7, other] = [
    { epoch: 'e', offset: 3 },
    { epoch: 'e', offset: 7 },
    { epoch: 'f', offset: 1 },
  ];
  t.strictSame(sumChannelViews([view(0, 0, 0, at3), view(0, 0, 0, at7), view(0, 0, 0)]).position, at7);
  t.strictSame(sumChannelViews([view(0, 0, 0, at7), view(0, 0, 0, other)]).position, undefined);
});

t.test('what is no view of a channel is not read as one', async (t) => {
  const bad = [null, undefined, 1, 'x', {}, { subscribers: {} }, { subscribers: { response: 1, stream: -1, ws: 0 } }];
  for (const answer of bad) t.equal(readChannelView(answer), undefined);
  t.strictSame(readChannelView({ ...view(1, 2, 3), position: { epoch: 1 }, more: 'x' }), view(1, 2, 3));
});

t.test('the processes of a node answer as one', async (t) => {
  t.strictSame(mergeAnswers({ about: 'channel', name: 'a' }, [view(1, 0, 0), undefined, view(0, 2, 0)]), view(1, 2, 0));
  const found = { id: 'x-1', kind: 'stream' };
  t.strictSame(mergeAnswers({ about: 'connection', id: 'x-1' }, [null, found, undefined]), found);
  t.equal(mergeAnswers({ about: 'connection', id: 'x-1' }, [null, undefined]), null);
  t.equal(mergeAnswers({ about: 'disconnect', id: 'x-1' }, [false, true]), true);
  t.equal(mergeAnswers({ about: 'disconnect', id: 'x-1' }, [false, undefined]), false);
});
