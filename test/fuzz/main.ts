import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.js';
import { mutatedRecipe } from './mutations.js';

// npm run test:fuzz -- --count 20000 [--seed N]: checks recipes that were changed at random; --show N prints one of them.

const { values } = parseArgs({ options: { count: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' }, show: { type: 'string' } } });
if (values.show !== undefined) process.stdout.write(mutatedRecipe(Number(values.show)));
else {
  const count = Number(values.count);
  const failures = await fuzz({ count, seed: Number(values.seed), whole: Math.ceil(count / 200) });
  for (const failure of failures) console.log(failure);
  const failed = new Set(failures.map((failure) => failure.split(':')[0])).size;
  console.log(`${count - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
