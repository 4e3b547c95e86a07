import test from 'ava';
import { type Addon, createConnection } from '../src/clickhouse-front/engine.ts';

/** A stream of so many chunks. A fetch after KILL is refused; one that is under way then still brings its chunk. */
function streamingAddon(chunks: number) {
  const calls: string[] = [];
  let killed = false;
  const addon = {
    StreamQuery: () => 'stream',
    async StreamFetch() {
      calls.push('fetch');
      await new Promise(setImmediate);
      if (killed) throw new Error('Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)');
      return { done: chunks-- === 0, bytes: new Uint8Array(1), numRows: 1 };
    },
    CloseConnection: () => void calls.push('close'),
  } as Partial<Addon> as Addon;
  const kill = () => {
    calls.push('kill');
    // It takes a while until the engine has it.
    setImmediate(() =>
      setImmediate(() =>
        setImmediate(() =>
          setImmediate(() => {
            killed = true;
          }),
        ),
      ),
    );
  };
  return { calls, connection: createConnection(addon, 'handle'), kill };
}

test('a stream that is taken to its end is not killed', async (t) => {
  const { calls, connection, kill } = streamingAddon(2);
  let count = 0;
  for await (const _ of connection.stream('SELECT 1', 'CSV', kill)) count++;
  connection.close();
  t.is(count, 2);
  t.deepEqual(calls, ['fetch', 'fetch', 'fetch', 'close']);
});

test('one that is left is killed, and fetched until the engine refuses: nothing waits for it on this thread', async (t) => {
  const { calls, connection, kill } = streamingAddon(Number.POSITIVE_INFINITY);
  for await (const _ of connection.stream('SELECT 1', 'CSV', kill)) break;
  connection.close();
  t.deepEqual(calls.slice(0, 3), ['fetch', 'kill', 'fetch']);
  t.is(calls.at(-1), 'close');
  t.is(calls.filter((call) => call === 'kill').length, 1);
});

test('one that fails is not killed', async (t) => {
  const { calls, connection, kill } = streamingAddon(Number.POSITIVE_INFINITY);
  kill();
  calls.length = 0;
  await t.throwsAsync(
    async () => {
      for await (const _ of connection.stream('SELECT 1', 'CSV', kill));
    },
    { message: /QUERY_WAS_CANCELLED/ },
  );
  t.false(calls.includes('kill'));
});
