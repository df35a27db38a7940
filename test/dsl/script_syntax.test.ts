import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** The exit code of `check`, and the first lines of what it finds. */
async function checked(text: string, env: Readonly<Record<string, string>> = {}): Promise<readonly [number | null, ...string[]]> {
  return inFolder({ 'r.yml': `version: 1\ntasks:\n${text}` }, async (folder) => {
    const { code, stderr } = await run(['check', 'r.yml'], { folder, env });
    assert.not(existsSync(join(folder, 'ran')));
    return [code, ...stderr.split('\n').filter((line) => / \[[a-z-]+\]$/.test(line))];
  });
}

suite('the syntax of scripts', (test) => {
  test('is an error on the host and a warning in a chroot; nothing of a script is run', async () => {
    const script = '\n      touch ran\n      if true; then\n        echo x\n';
    const message = 'syntax error in the script: end of file unexpected (expecting "fi") [script]';
    assert.equal(await checked(`  a:\n    run: |${script}`), [2, `r.yml:7:9: ${message}`]);
    // What a template gives may be anything, but for "quote".
    assert.equal(await checked(`  a:\n    run: |${script.replace('echo x', 'echo {{ run.id }}')}`), [0, `r.yml:7:9: warning: ${message}`]);
    assert.equal(await checked(`  a:\n    run: |${script.replace('echo x', 'echo {{ quote run.id }}')}`), [2, `r.yml:7:9: ${message}`]);
    assert.equal(await checked(`  sys: {uses: chroot, with: {root: /srv}}\n  a:\n    in: sys\n    run: |${script}`), [0, `r.yml:9:9: warning: ${message}`]);
  });

  test('a warning is printed once by check, plan and run', () =>
    inFolder(
      {
        'r.yml':
          'version: 1\ntasks:\n  sys: {uses: chroot, with: {root: /srv}}\n  a: {in: sys, run: "if true", strategy: {matrix: {n: [1, 2]}}}\n  b: {run: "true"}\n',
      },
      async (folder) => {
        for (const words of [
          ['check', 'r.yml'],
          ['plan', 'r.yml'],
          ['run', 'r.yml', 'b'],
          ['run', 'r.yml', 'b', '--dry-run'],
        ]) {
          const { code, stdout, stderr } = await run(words, { folder });
          assert.equal([code, (stdout + stderr).split('syntax error in the script').length], [0, 2], `${words}: ${stdout}${stderr}`);
        }
      },
    ));

  test('no claim is made of what only the run can tell', async () => {
    for (const script of [
      'if {{ run.id }}; then echo {{ quote run.arguments }}; fi',
      '{{#if run.id}}if true; then{{else}}if false; then{{/if}}\necho\nfi',
      'shopt -s extglob\nrm -f !(a|b)',
      "alias begin='{'\nbegin echo; }",
      `echo "{{ default env.UNSET 'a}}b' }}"`,
      'cat <<EOF\nnot ( closed\n',
      'exit 0\n(((( an archive',
      "#!/usr/bin/python3\nprint('(')",
      '#!/bin/zsh\nfor i (1 2 3) echo $i',
      "echo '\\{{ a (( }}'",
      '',
    ]) {
      const shell = script.includes('extglob') ? '\n    shell: [bash]' : '';
      assert.equal(await checked(`  a:${shell}\n    run: ${JSON.stringify(script)}\n`), [0], script);
    }
  });

  test('without bash on this machine scripts for bash are not read', () =>
    inFolder({}, async (folder) => {
      mkdirSync(join(folder, 'bin'));
      for (const name of ['node', 'sh', 'id', 'readlink']) symlinkSync(name === 'node' ? process.execPath : `/bin/${name}`, join(folder, 'bin', name));
      const script = '  a: {shell: [/bin/bash], run: "("}\n  b: {run: ")"}\n';
      const message = 'syntax error in the script: ")" unexpected [script]';
      assert.equal(await checked(script, { PATH: join(folder, 'bin') }), [2, `r.yml:4:13: ${message}`]);
    }));

  test('1,000 scripts are read within the time of a check', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `  t${i}: {run: "echo ${i}"}\n`).join('');
    assert.equal(await checked(`${many}  z: {needs: [t1], run: "true"}\n`), [0]);
  });
});
