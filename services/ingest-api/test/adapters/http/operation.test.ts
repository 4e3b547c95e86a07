import { EventEmitter } from 'node:events';
import test from 'ava';
import { type Request, whileThere } from '../../../src/adapters/http/operation.ts';

function request(destroyed = false) {
  const res = Object.assign(new EventEmitter(), { destroyed });
  const ctx: { res: typeof res; respond?: boolean } = { res };
  return { res, ctx, r: { ctx } as unknown as Request };
}
const reply = { status: 200, body: 'x' };

test('who stays is answered, and nothing listens on afterwards', async (t) => {
  const { r, res, ctx } = request();
  let signal: AbortSignal | undefined;
  const answer = await whileThere(r, async (gone) => {
    signal = gone;
    return reply;
  });
  t.is(answer, reply);
  t.is(ctx.respond, undefined);
  res.emit('close');
  t.false(signal?.aborted);
  t.is(res.listenerCount('close'), 0);
});

test('who goes away ends the work, and is not answered', async (t) => {
  const { r, res, ctx } = request();
  const answer = whileThere(
    r,
    (gone) => new Promise((_, reject) => gone.addEventListener('abort', () => reject(gone.reason))),
  );
  res.emit('close');
  t.is(await answer, undefined);
  t.false(ctx.respond);
});

test('who was gone before finds the signal set', async (t) => {
  const { r } = request(true);
  const answer = await whileThere(r, async (gone) => {
    gone.throwIfAborted();
    return reply;
  });
  t.is(answer, undefined);
});

test('an error of the work is an error', async (t) => {
  const { r, res } = request();
  const work = whileThere(r, async () => {
    throw new Error('broken');
  });
  await t.throwsAsync(work, { message: 'broken' });
  t.is(res.listenerCount('close'), 0);
});
