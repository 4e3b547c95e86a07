/** Three effects with a failpoint before each; says what was done. */
import { createFailpoints } from '../src/failpoints.ts';

const failpoints = createFailpoints(process.env.VOLLEY_FAILPOINTS);
for (let n = 1; n <= 3; n++) {
  await failpoints.hit('test.effect');
  process.stdout.write(`effect ${n}\n`);
}
