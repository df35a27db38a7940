import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';
import { Terminal } from '../support/terminal.js';

const recipe = 'version: 1\ninputs: {size: {type: integer, default: 8}}\ntasks:\n  image: {run: "true"}\n';
const files = { 'sub/chrootfile.yml': recipe, 'sub/other.yml': recipe, 'sub/my images/r.yml': recipe, 'single/r.yml': recipe };
/** Moves to the start of the line and makes it an argument of echo. */
const shown = '\u0001echo [';

suite('completion', (test) => {
  test('-C completes folders, and what follows it completes from there', () =>
    inFolder(files, async (folder) => {
      const offers = async (...words: string[]) => {
        const { code, stdout, stderr } = await run(['complete', '--', ...words], { folder, env: { HOME: join(folder, 'sub') } });
        assert.equal([code, stderr], [0, ''], words.join(' '));
        return stdout.replace(/\n$/, '').split('\n');
      };
      assert.equal(await offers('-C', ''), [':folders\t']);
      assert.equal(await offers('-C', 'su'), [':folders\t']);
      assert.equal(await offers('check', '-C', ''), [':folders\t']);
      assert.equal(await offers('-C', 'sub', '-C', ''), [`:folders\t${folder}/sub`]);
      assert.equal(await offers('-C', 'sub', 'run', ''), [`:files\t${folder}/sub`, 'image\t']);
      assert.equal(await offers('-C', '~', 'run', ''), [`:files\t${folder}/sub`, 'image\t']);
      assert.equal(await offers('-C', '~/my images', 'run', 'r.yml', ''), ['image\t']);
      assert.equal(await offers('-Csub', 'run', '-i', ''), ['size=\t']);
      assert.equal(await offers('-C', 'nowhere', 'run', ''), ['']);
      assert.match((await offers('-')).join('\n'), /^-C\tstart in another folder$/m);
      assert.equal(
        (await offers('runs', '--')).map((line) => line.split('\t')[0]),
        ['--failed', '--limit', '--json', '--state'],
      );
      assert.equal(await offers('runs', '--state', ''), [':files\t']);
      assert.match((await offers('runs', '')).join('\n'), /^prune\t/);
    }));

  test(
    'bash does so on a terminal, with blanks in names',
    () =>
      inFolder(files, async (folder) => {
        mkdirSync(join(folder, 'state'));
        const bash = new Terminal('bash --norc --noprofile -i', folder);
        bash.type("PS1='ready> '; source <(chrootfile completion bash)");
        await bash.sees('ready> ');
        const completes = async (keys: string, line: string) => {
          bash.type(`${keys}${shown}`);
          await bash.sees(`\n[${line}\n`);
        };
        await completes('chrootfile -C si\t', 'chrootfile -C single/');
        await completes('chrootfile -C sub run im\t', 'chrootfile -C sub run image');
        await completes('chrootfile -C sub check o\t', 'chrootfile -C sub check other.yml');
        await completes('chrootfile -C sub -C m\t run r\tim\t', 'chrootfile -C sub -C my images/ run r.yml image');
        bash.type('exit');
        assert.is(await bash.ended, 0);
      }),
    60_000,
  );
});
