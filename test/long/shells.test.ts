import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe =
  'version: 1\ninputs: {size: {type: integer, default: 8, description: Size in GiB}}\ntasks:\n  packages: {description: What is installed, run: "true"}\n  pages: {run: "true"}\n';

suite('other people’s programs', (test) => {
  test('fish offers tasks with their descriptions, inputs and options', () =>
    inFolder({ 'chrootfile.yml': recipe }, (folder) => {
      const offers = (line: string) =>
        spawnSync('fish', ['--no-config', '-c', `chrootfile completion fish | source; complete -C ${JSON.stringify(`chrootfile ${line}`)}`], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, HOME: folder, PATH: `${repository}/bin:${process.env['PATH']}` },
        }).stdout.trim();
      assert.is(offers('run p'), 'packages\tWhat is installed\npages');
      assert.is(offers('run -i s'), 'size=\tSize in GiB');
      assert.is(offers('run --keep'), '--keep-going\tkeep running tasks that do not depend on a failed one');
      assert.match(offers('check c'), 'chrootfile.yml');
    }));

  test(
    'zsh completes a task on its own line',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, (folder) => {
        // zsh's own pseudo-terminal; what it shows after Tab is what a person sees.
        writeFileSync(
          join(folder, 'drive.zsh'),
          `zmodload zsh/zpty
zpty -b shell "zsh -f -i"
zpty -w shell 'PS1=; autoload -Uz compinit && compinit -D -u; source <(chrootfile completion zsh)'
sleep 2
zpty -w -n shell $'chrootfile run pack\\t'
sleep 3
zpty -w -n shell $'\\C-a\\C-k'
zpty -w -n shell $'chrootfile run -i s\\t'
sleep 3
zpty -r -t shell out; while zpty -r -t shell more; do out+=$more; done
print -r -- "$out"
zpty -d shell
`,
        );
        const shown = spawnSync('zsh', ['-f', 'drive.zsh'], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, HOME: folder, TERM: 'dumb', PATH: `${repository}/bin:${process.env['PATH']}` },
        }).stdout;
        assert.match(shown, 'chrootfile run packages');
        assert.match(shown, 'run -i size=');
      }),
    60_000,
  );

  test('graphviz draws what graph --format dot gives, for every shipped recipe', async () => {
    for (const name of ['base', 'web', 'variants', 'layout']) {
      const { stdout } = await run(['graph', join(repository, `recipes/${name}.yml`), '--format', 'dot'], { folder: repository });
      assert.match(execFileSync('dot', ['-Tsvg'], { input: stdout, encoding: 'utf8' }), '</svg>');
    }
  });
});
