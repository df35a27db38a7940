import * as assert from 'uvu/assert';
import { fuzz } from '../fuzz/fuzz.js';
import { suite } from '../support/suite.js';

suite('check', (test) => {
  test('ends with diagnostics, whatever 1,500 recipes that were changed at random are (npm run test:fuzz tries more)', async () => {
    assert.equal(await fuzz({ count: 1500, seed: 1, whole: 10 }), []);
  }, 600_000);
});
