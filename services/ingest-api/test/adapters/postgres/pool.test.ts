import test from 'ava';
import { storeError } from '../../../src/adapters/postgres/pool.ts';
import { StoreUnavailable } from '../../../src/ports.ts';

test('an error of Postgres leaves behind the row that it shows', (t) => {
  const row = 'Failing row contains (1, a@b.example)';
  const refused = Object.assign(new Error('violates check constraint "c"'), { code: '23514', detail: row, where: row });
  t.is(storeError(refused), refused);
  t.false(JSON.stringify(refused).includes('a@b.example'));
  t.is(refused.code, '23514');
});

for (const [code, syscall] of [
  ['EMFILE', 'connect'],
  ['EHOSTUNREACH', 'connect'],
  ['EADDRNOTAVAIL', 'connect'],
  ['EPIPE', 'write'],
  ['ECONNRESET', 'read'],
] as const)
  test(`${code} of ${syscall} is an outage of the store, and no bug that ends the process`, (t) => {
    const error = Object.assign(new Error(`${syscall} ${code} 127.0.0.1:5432`), { code, syscall, errno: -1 });
    t.true(storeError(error) instanceof StoreUnavailable);
  });
