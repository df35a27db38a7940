import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import * as assert from 'uvu/assert';
import { Lines } from '../scripts/covered_lines.js';
import { inFolder } from './support/folder.js';
import { suite } from './support/suite.js';

const source = `type Name = string;
const way: Name = process.argv[2] ?? '';
if (way === 'one') {
  console.log('one');
} else {
  console.log('other');
}

function never() {
  console.log('never');
}
if (way === 'never') never();
`;

suite('covered lines', (test) => {
  test('are those with code that ran in any of the processes; comments, types and empty lines have none', () =>
    inFolder({ 'src/x.ts': source }, async (folder) => {
      mkdirSync(join(folder, 'dist'));
      const { code, map } = await transform(source, { loader: 'ts', sourcemap: 'external', sourcefile: '../src/x.ts', minifyWhitespace: true });
      writeFileSync(join(folder, 'dist/x.js'), code);
      writeFileSync(join(folder, 'dist/x.js.map'), map);
      const lines = new Lines(folder);
      lines.add('{"result":[{"url":"cut o');
      const after = (way: string) => {
        const counts = join(folder, `counts-${way}`);
        execFileSync(process.execPath, [join(folder, 'dist/x.js'), way], { env: { ...process.env, NODE_V8_COVERAGE: counts } });
        for (const name of readdirSync(counts)) lines.add(readFileSync(join(counts, name), 'utf8'));
        return lines.files();
      };
      assert.equal(after('one'), [{ file: 'src/x.ts', ran: 5, total: 10, left: [6, 7, 9, 10, 11] }]);
      assert.equal(after('other')[0]?.left, [9, 10, 11]);
    }));
});
