import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { RunsJson } from '../../src/cli/schemas/runs.js';
import { inFolder } from '../support/folder.js';
import { processes } from '../support/host.js';
import { repository, run, start } from '../support/program.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';
import { play, Terminal } from '../support/terminal.js';

const page = readFileSync(join(repository, 'docs/debugging.md'), 'utf8');
const recipe = /```yaml chrootfile\.yml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const transcripts = [...page.matchAll(/```console\n([\s\S]*?)```/g)].map(([, text = '']) => text);

/** The events of the only run in a folder. */
function events(folder: string): Record<string, unknown>[] {
  const [id = ''] = readdirSync(join(folder, 'state/runs'));
  const text = readFileSync(join(folder, 'state/runs', id, 'events.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
const startedIn = (folder: string) =>
  events(folder).flatMap((e) => (e['type'] === 'task.started' && !String(e['task']).includes('.') ? [String(e['task'])] : []));

/** Waits until no run of a folder goes on. */
async function hasNoneRunning(folder: string): Promise<void> {
  while ((await run(['runs'], { folder })).stdout.includes('running')) await sleep(50);
}

/** Fails where something of a run in a folder is still to be undone. */
async function hasNoneOpen(folder: string): Promise<void> {
  const { runs } = JSON.parse((await run(['runs', '--json'], { folder })).stdout) as RunsJson;
  for (const { state, open } of runs) assert.ok(open === 0 && ['succeeded', 'failed', 'interrupted'].includes(state), `${state}, ${open}`);
}

const keepers = () => [...processes()].some((line) => line.includes('chrootfile-keeps'));

suite('debugging', (test) => {
  test(
    'the page: fail at task 7 of 9, shell, mend, keep; resume runs 7 to 9 only',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
        assert.is(transcripts.length, 2);
        const kept = await play(transcripts[0] ?? '', folder);
        assert.equal(
          kept.map(({ code }) => code),
          [1, 0],
        );
        assert.equal(startedIn(folder), ['volume', 'disk', 'rootfs', 'root', 'unpack', 'sys', 'configure']);
        const [resumed] = await play(transcripts[1] ?? '', folder);
        assert.is(resumed?.code, 0, resumed?.text);
        assert.equal(startedIn(folder).slice(7), ['configure', 'snapshot', 'image']);
        // What was mended by hand is on the image, and so is what the task then did.
        const { stdout } = await run(['local', 'images', '--json'], { folder });
        const [{ id = '' } = {}] = JSON.parse(stdout) as { id?: string }[];
        await run(['local', 'export', id, 'image.raw'], { folder });
        assert.match(
          execFileSync('debugfs', ['-R', 'cat /etc/motd', join(folder, 'image.raw')], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
          'hello, world\n',
        );
        assert.not.ok(keepers());
        assert.match((await run(['runs'], { folder })).stdout, /succeeded +0/);
      }),
    60_000,
  );

  test(
    'retry runs in the same run what did not succeed, as the terminal shows; undo rolls everything back',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
        const terminal = new Terminal('chrootfile run --on-failure ask', folder);
        await terminal.sees('[u]ndo? ');
        terminal.type('nonsense');
        await terminal.sees('[u]ndo? ');
        terminal.type('r');
        await terminal.sees('✖ configure failed; everything created so far still exists');
        await terminal.sees('[u]ndo? ');
        terminal.type('s');
        await terminal.sees('] # ');
        terminal.type('echo name=you > /etc/app.conf; exit');
        await terminal.sees('[u]ndo? ');
        terminal.type('r');
        await terminal.sees('image_id = ami-');
        assert.is(await terminal.ended, 0);
        assert.not.match(terminal.text.slice(terminal.text.lastIndexOf('[u]ndo? ')), '✖', 'what was tried again with success is no failure');
        assert.equal(startedIn(folder).slice(6), ['configure', 'configure', 'configure', 'snapshot', 'image']);
        const second = new Terminal('chrootfile run --on-failure ask', folder);
        await second.sees('[u]ndo? ');
        second.type('u');
        await second.sees('everything it created was rolled back');
        assert.is(await second.ended, 1);
      }),
    60_000,
  );

  test(
    'Ctrl-C at a question, and a terminal that closes, take everything back',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
        const terminal = new Terminal('chrootfile run --on-failure shell', folder);
        await terminal.sees('] # ');
        // To the shell's own terminal: it ends nothing but what runs there.
        terminal.type("echo slee''ping; sleep 60");
        await terminal.sees('sleeping');
        terminal.interrupt();
        await terminal.sees('] # ');
        terminal.type('exit');
        await terminal.sees('[u]ndo? ');
        terminal.interrupt();
        await terminal.sees('everything it created was rolled back');
        assert.is(await terminal.ended, 130);
        const closed = new Terminal('chrootfile run --on-failure shell', folder);
        await closed.sees('] # ');
        closed.hangUp();
        await closed.ended;
        await hasNoneRunning(folder);
        await hasNoneOpen(folder);
      }),
    60_000,
  );

  test(
    '--step asks before each task: run, shell, continue, quit',
    () =>
      inFolder({ 'chrootfile.yml': 'version: 1\ntasks:\n  a: {run: echo A, env: {X: y}}\n  b: {run: echo B}\n  c: {run: echo C}\n' }, async (folder) => {
        const terminal = new Terminal('chrootfile run --step -j 4', folder);
        await terminal.sees('next: a on the host: [enter] run it, [s]hell, [c]ontinue without asking, [q]uit? ');
        terminal.type('s');
        await terminal.sees('[a] # ');
        terminal.type('echo "X is $X"; exit');
        await terminal.sees('X is y');
        await terminal.sees('[q]uit? ');
        terminal.type('');
        await terminal.sees('✔ a');
        await terminal.sees('next: b');
        terminal.type('c');
        await terminal.sees('✔ c');
        assert.is(await terminal.ended, 0);
        const second = new Terminal('chrootfile run --step', folder);
        await second.sees('[q]uit? ');
        second.type('q');
        assert.is(await second.ended, 1);
        assert.match(second.text, 'stopped before it ran');
      }),
    60_000,
  );

  test(
    'without a terminal nobody is asked',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
        for (const args of [['--on-failure', 'ask'], ['--on-failure', 'shell'], ['--step']]) {
          const ended = await run(['run', ...args], { folder });
          assert.equal([ended.code, ended.stderr.split('\n')[0]], [2, `error: ${args.join(' ')} needs a terminal`]);
        }
        assert.not.ok(existsSync(join(folder, 'state')));
      }),
    60_000,
  );

  test(
    'a kept run keeps inputs, facts, variables and the undo of its scripts; secrets are given again',
    () =>
      inFolder({}, async (folder) => {
        makeRoot(folder);
        const text = (second: string) => `version: 1
inputs: {token: {type: string, secret: true, required: true}, size: {type: integer, default: 1}}
vars: {when: {sh: date +%N}}
tasks:
  first:
    run: echo "{{ run.uuid }} {{ vars.when }} {{ inputs.size }}" > first
    undo: {run: "echo undone {{ inputs.token }} >> undone"}
  hold: {run: "mkdir -p {{ run.dir }}/m && mount -t tmpfs x {{ run.dir }}/m && touch {{ run.dir }}/m/there", undo: {run: "umount {{ run.dir }}/m; rmdir {{ run.dir }}/m", when: always}}
  second: {needs: [first, hold], run: "${second}"}
  third: {needs: [second], run: 'echo "{{ run.uuid }} {{ vars.when }} {{ inputs.size }}" > third; test -e {{ run.dir }}/m/there', env: {HOLD: "{{ run.dir }}"}}
  stays: {needs: [third, hold], run: "true"}
`;
        writeFileSync(join(folder, 'chrootfile.yml'), text('false'));
        const failed = await run(['run', '-i', 'token=hunter22', '-i', 'size=7', '--on-failure', 'keep'], { folder });
        assert.is(failed.code, 1);
        assert.match(
          failed.stderr,
          /run \S+ paused after \S+; kept for --resume: hold, first\n {2}resume: chrootfile run --resume \S+ --state \S+\n {2}undo: {3}chrootfile undo \S+ --state \S+\n/,
        );
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        for (const name of ['kept.json', 'journal.jsonl']) assert.not.match(readFileSync(join(folder, 'state/runs', id, name), 'utf8'), 'hunter22');
        assert.ok(keepers());
        const resume = (...args: string[]) => run(['run', '--resume', id, ...args], { folder });
        assert.match((await resume()).stderr, 'input "token" needs a value');
        assert.match((await resume('-i', 'size=8', '-i', 'token=hunter22')).stderr, 'these inputs are already set: size\n  help: set only secret inputs');
        writeFileSync(join(folder, 'chrootfile.yml'), text('true').replace('echo "{{ run.uuid }}', 'echo  "{{ run.uuid }}'));
        assert.match((await resume('-i', 'token=hunter22')).stderr, `task "first" succeeded, but it or a value it reads has changed since`);
        assert.match((await run(['run', '-q', '--dry-run'], { folder })).stderr, 'input "token" needs a value');
        // Fails again, and is kept again; then it is mended in the recipe.
        writeFileSync(join(folder, 'chrootfile.yml'), text('exit 9'));
        assert.match((await resume('-i', 'token=hunter22', '--on-failure', 'keep')).stderr, 'exit code 9');
        writeFileSync(join(folder, 'chrootfile.yml'), text('true'));
        const done = await resume('-i', 'token=hunter22');
        assert.is(done.code, 0, done.stdout + done.stderr);
        assert.is(readFileSync(join(folder, 'third'), 'utf8'), readFileSync(join(folder, 'first'), 'utf8'));
        assert.match(readFileSync(join(folder, 'first'), 'utf8'), / 7\n$/);
        assert.not.ok(existsSync(join(folder, 'undone')));
        assert.match((await resume()).stderr, `run ${id} is not paused, so it cannot be resumed: its state is "succeeded"`);
        assert.not.ok(keepers());
      }),
    60_000,
  );

  test('a kept run is refused when what a finished task reads has changed: vars, env, defaults, "with" of an include; other changes are not', () =>
    inFolder({}, async (folder) => {
      const files: Record<string, string> = {
        'chrootfile.yml': `version: 1
vars: {read: a, behind: "{{ vars.read }}", given: b, unread: c, more: f}
env: {EVERY: d}
defaults: {shell: [/bin/sh, -e], timeout: 1m}
includes: {library: {recipe: library.yml, with: {word: "{{ vars.given }}"}}}
tasks:
  first: {run: "echo {{ vars.behind }}", undo: {run: {file: undo.sh}}}
  axes: {run: "echo {{ matrix.size }} {{ matrix.more }}", strategy: {matrix: {size: [1], include: [{size: 1, more: "{{ vars.more }}"}]}}}
  fails: {needs: [first, axes, library.task], run: "test {{ vars.unread }} = fixed"}
`,
        'library.yml': `version: 1
inputs: {word: {type: string}, other: {type: string, default: e}}
tasks: {task: {run: "echo {{ inputs.word }} {{ inputs.other }}"}}
`,
        'undo.sh': 'true\n',
      };
      const write = (name: string, text = '') => writeFileSync(join(folder, name), text);
      for (const name of Object.keys(files)) write(name, files[name]);
      assert.is((await run(['run', '--on-failure', 'keep'], { folder })).code, 1);
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      for (const [name, before, after, task] of [
        ['chrootfile.yml', 'read: a', 'read: x', 'first'],
        ['chrootfile.yml', 'EVERY: d', 'EVERY: x', 'first'],
        ['chrootfile.yml', '[/bin/sh, -e]', '[/bin/sh]', 'first'],
        ['chrootfile.yml', 'timeout: 1m', 'timeout: 2m', 'first'],
        ['chrootfile.yml', 'more: f', 'more: x', 'axes[size=1]'],
        ['chrootfile.yml', 'given: b', 'given: x', 'library.task'],
        ['chrootfile.yml', '"{{ vars.given }}"', 'b', 'library.task'],
        ['library.yml', 'default: e', 'default: x', 'library.task'],
        ['undo.sh', 'true', 'false', 'first'],
      ] as const) {
        write(name, files[name]?.replace(before, after));
        const { code, stderr } = await run(['run', '--resume', id], { folder });
        assert.equal(
          [code, stderr.split('\n')[0]],
          [2, `error: run ${id} cannot be resumed: task "${task}" succeeded, but it or a value it reads has changed since`],
          after,
        );
        write(name, files[name]);
      }
      const kept = join(folder, 'state/runs', id, 'kept.json');
      const whole = readFileSync(kept, 'utf8');
      const { definitions: _, ...older } = JSON.parse(whole);
      writeFileSync(kept, JSON.stringify(older));
      assert.match((await run(['run', '--resume', id], { folder })).stderr, `run ${id} cannot be resumed: another version of chrootfile kept it\n`);
      writeFileSync(kept, whole);
      write('chrootfile.yml', files['chrootfile.yml']?.replace('unread: c', 'unread: fixed'));
      const resumed = await run(['run', '--resume', id], { folder });
      assert.is(resumed.code, 0, resumed.stdout + resumed.stderr);
      assert.equal(startedIn(folder).filter((task) => task === 'first').length, 1);
    }));

  test(
    'a kept run that fails when gone on with takes all back; one that was killed then is undone, not resumed again',
    () =>
      inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
        const keep = async () => {
          await run(['run', '--on-failure', 'keep'], { folder });
          return readdirSync(join(folder, 'state/runs')).at(-1) ?? '';
        };
        const first = await keep();
        const again = await run(['run', '--resume', first], { folder });
        assert.is(again.code, 1);
        assert.match(again.stderr, 'everything it created was rolled back');
        writeFileSync(join(folder, 'chrootfile.yml'), recipe.replace('. /etc/app.conf', 'true'));
        writeFileSync(join(folder, 'chrootfile.yml'), recipe);
        const second = await keep();
        writeFileSync(join(folder, 'chrootfile.yml'), recipe.replace('. /etc/app.conf', 'echo begun; sleep 60'));
        const killed = start(['run', '--resume', second], { folder });
        await killed.saw('configure | begun');
        killed.child.kill('SIGKILL');
        await killed.ended;
        assert.match((await run(['run', '--resume', second], { folder })).stderr, `its state is "interrupted"\n  help: chrootfile undo ${second}`);
        const undone = await run(['undo', second], { folder });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        writeFileSync(join(folder, 'chrootfile.yml'), recipe);
        const third = await keep();
        assert.match(
          (await run(['run', 'chrootfile.yml', 'volume'], { folder })).stderr,
          `run ${third} is paused, with 4 changes to undo: chrootfile run --resume ${third} --state ${folder}/state, or chrootfile undo ${third} --state ${folder}/state`,
        );
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.not.ok(keepers());
      }),
    60_000,
  );

  test('--keep-going goes on with what does not depend on the failure, and keeps what the failed task stands on', () =>
    inFolder({ 'chrootfile.yml': `${recipe}`.replace('  snapshot:', '  aside: {run: echo aside}\n  snapshot:') }, async (folder) => {
      const kept = await run(['run', '--keep-going', '--on-failure', 'keep'], { folder });
      assert.match(kept.stdout, '✔ aside');
      assert.match(kept.stderr, /^not run: 2 tasks \(snapshot, image\)$/m);
      assert.not.match(kept.stdout, 'sys.released');
      writeFileSync(join(folder, 'chrootfile.yml'), readFileSync(join(folder, 'chrootfile.yml'), 'utf8').replace('. /etc/app.conf', 'true'));
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      const resumed = await run(['run', '--resume', id], { folder });
      assert.is(resumed.code, 0, resumed.stdout + resumed.stderr);
      assert.not.match(resumed.stdout, 'aside');
    }));

  test(
    'Ctrl-D at a step takes all back; a quit is never put up with; a shell that cannot be opened is told, and asked again',
    () =>
      inFolder(
        {
          'chrootfile.yml':
            'version: 1\ntasks:\n  a: {run: touch made, undo: {run: rm made}}\n  b: {needs: [a], run: "true", continue_on_error: true}\n  c: {needs: [b], run: "true"}\n',
          'nowhere.yml': 'version: 1\ntasks:\n  a: {run: touch made, undo: {run: rm made}}\n  b: {needs: [a], dir: nowhere, run: "true"}\n',
        },
        async (folder) => {
          const closed = new Terminal('chrootfile run --step --on-failure ask', folder);
          await closed.sees('[q]uit? ');
          closed.type('');
          await closed.sees('next: b');
          closed.endOfFile();
          await closed.sees('everything it created was rolled back');
          assert.is(await closed.ended, 1);
          assert.not.ok(existsSync(join(folder, 'made')));
          const quit = new Terminal('chrootfile run --step --keep-going', folder);
          await quit.sees('[q]uit? ');
          quit.type('');
          await quit.sees('next: b');
          quit.type('q');
          assert.is(await quit.ended, 1);
          assert.not.match(quit.text, 'next: c');
          const nowhere = new Terminal('chrootfile run nowhere.yml --on-failure shell', folder);
          await nowhere.sees('cannot open a shell in …/nowhere');
          await nowhere.sees('[u]ndo? ');
          nowhere.type('u');
          assert.is(await nowhere.ended, 1);
          assert.not.ok(existsSync(join(folder, 'made')));
        },
      ),
    60_000,
  );

  test('a task that stands on what was released already is not run on what is left of it', () =>
    inFolder({}, async (folder) => {
      const text = (more: string) => `version: 1
tasks:
  hold: {run: touch held, undo: {run: rm held, when: always}}
  fails: {needs: [hold.released], run: "false"}
${more}`;
      writeFileSync(join(folder, 'chrootfile.yml'), text(''));
      await run(['run', '--on-failure', 'keep'], { folder });
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      const more = text('  more: {needs: [hold], run: test -e held}\n').replace('[hold.released]', '[hold.released, more]');
      writeFileSync(join(folder, 'chrootfile.yml'), more);
      const refused = await run(['run', '--resume', id], { folder });
      assert.equal(
        [refused.code, refused.stderr.split('\n')[0]],
        [2, `error: run ${id} cannot be resumed: task "more" uses "hold", which is already released`],
      );
      const unfit = [['--dry-run'], ['--cloud', 'aws'], ['--cache'], ['--no-cache'], ['--refresh', 'more'], ['--from', 'more']];
      for (const words of [...unfit, ['--help']]) {
        const ended = await run(['run', '--resume', id, ...words], { folder });
        assert.match(ended.stdout + ended.stderr, words[0] === '--help' ? 'Usage: chrootfile run' : `--resume cannot be combined with ${words[0]}`);
      }
      assert.is((await run(['undo', id], { folder })).code, 0);
    }));
});

suite('tasks that may ask', (test) => {
  const asking = `version: 1
name: r
tasks:
  made: {run: "touch made", undo: {run: "rm made"}}
  busy: {needs: [made], run: "for i in 1 2 3 4; do echo busy $i; sleep 0.2; done"}
  ask:
    needs: [made]
    interactive: true
    timeout: 10m
    outputs: {name: {}, token: {secret: true}}
    run: |
      [ -t 0 ] && [ -t 1 ] && [ -t 2 ]
      stty -echo
      printf 'token? '
      read -r token < /dev/tty
      stty echo
      sleep 1
      echo; printf 'name? '
      read -r name
      printf '%s\\n' "name=$name" "token=$token" >> "$CHROOTFILE_OUTPUT"
  use: {run: "echo {{ ask.name }} {{ ask.token }} ran in $SHELL"}
`;

  for (const [how, command] of [
    ['plain lines', 'chrootfile run --format plain'],
    ['JSON', 'chrootfile run --format json'],
    ['what is drawn', 'stty cols 100 rows 30; TERM=xterm chrootfile run'],
  ] as const) {
    test(`have the terminal for themselves, and their timeout; ${how} wait meanwhile and are not lost`, () =>
      inFolder({ 'chrootfile.yml': asking }, async (folder) => {
        const terminal = new Terminal(`${command}; stty -a | grep -ow -- '-*icanon'`, folder);
        await terminal.sees('token? ');
        terminal.type('hush-hush');
        await terminal.sees('name? ');
        terminal.type('you');
        await terminal.sees('icanon');
        assert.is(await terminal.ended, 0);
        const [before = '', meanwhile = '', after = ''] = terminal.text.split(/token\? |name\? /);
        assert.match(before, 'ask');
        assert.is(meanwhile.trim(), '', 'nothing but what it prints itself');
        assert.not.match(terminal.text, /hush-hush|-icanon/);
        for (const text of ['busy', 'use', 'icanon']) assert.match(after, text);
        if (!how.startsWith('what')) for (const i of [1, 2, 3, 4]) assert.match(before + after, `busy ${i}`);
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        assert.is(readFileSync(join(folder, 'state/runs', id, 'logs/use.log'), 'utf8'), 'you *** ran in /bin/sh\n');
      }));
  }

  test('Ctrl-C is theirs; a time that is over, a failure elsewhere and a closed terminal end them, and all is undone', () =>
    inFolder({ 'chrootfile.yml': asking, 'wait.sh': 'stty -echo\nprintf "wait? "\nread -r x\n' }, async (folder) => {
      const interrupted = new Terminal('chrootfile run', folder);
      await interrupted.sees('token? ');
      interrupted.interrupt();
      await interrupted.sees('exit code 130 (signal 2)');
      assert.is(await interrupted.ended, 1);
      const recipe = (keys: string, more = '') =>
        writeFileSync(
          join(folder, 'chrootfile.yml'),
          `version: 1\ntasks:\n  made: {run: "touch made", undo: {run: "rm made"}}\n  ask: {needs: [made], interactive: true, ${keys}, run: {file: wait.sh}}\n${more}`,
        );
      recipe('timeout: 5s');
      const late = new Terminal('chrootfile run; stty -a | grep -ow -- "-*echo"', folder);
      await late.sees('wait? ');
      await late.sees('timed out after 5 s');
      await late.sees('everything it created was rolled back');
      await late.sees('\necho\n');
      recipe('retries: 1', '  bad: {needs: [made], run: "sleep 0.5; false"}\n');
      const cancelled = new Terminal('chrootfile run', folder);
      await cancelled.sees('✖ bad failed');
      await cancelled.sees('everything it created was rolled back');
      assert.is(await cancelled.ended, 1);
      recipe('retries: 1');
      const closed = new Terminal('chrootfile run', folder);
      await closed.sees('wait? ');
      closed.hangUp();
      await closed.ended;
      await hasNoneRunning(folder);
      await hasNoneOpen(folder);
      assert.not.ok(existsSync(join(folder, 'made')));
    }));

  test('work in a chroot; several take turns', () =>
    inFolder({}, async (folder) => {
      makeRoot(folder);
      const task = (name: string) =>
        `  ${name}: {in: sys, interactive: true, outputs: {x: {}}, run: 'printf "${name}? "; read -r x < /dev/tty; test ! -e ${folder}; echo "x=$x" >> $CHROOTFILE_OUTPUT'}\n`;
      writeFileSync(
        join(folder, 'chrootfile.yml'),
        `version: 1\ntasks:\n  sys: {uses: chroot, with: {root: ${folder}/root}}\n${task('first')}  host: {interactive: true, run: "printf 'host? '; read -r x; sleep 0.5"}\noutputs: {x: "{{ first.x }}"}\n`,
      );
      const terminal = new Terminal('chrootfile run -j 4', folder);
      // Which is first is not said; neither asks before the other is done.
      await terminal.sees('? ');
      terminal.type('one');
      await terminal.sees('? ');
      terminal.type('one');
      await terminal.sees('x = one');
      assert.is(await terminal.ended, 0);
      const seen = events(folder).flatMap((e) => (String(e['type']).startsWith('terminal.') ? [e['type']] : []));
      assert.equal(seen, ['terminal.lent', 'terminal.returned', 'terminal.lent', 'terminal.returned']);
    }));

  test('fail without a terminal before anything runs; one that may not run, or may fail, fails when its turn comes', () =>
    inFolder({ 'chrootfile.yml': asking }, async (folder) => {
      const why =
        'the script is interactive ("interactive: true"), and there is no terminal\n  help: run it on a terminal, with neither standard input nor standard output redirected';
      const ended = await run(['run'], { folder });
      assert.equal([ended.code, ended.stderr], [3, `error: task "ask": ${why}\n`]);
      assert.not.ok(existsSync(join(folder, 'state/runs')));
      writeFileSync(
        join(folder, 'chrootfile.yml'),
        `version: 1
inputs: {ask: {type: boolean, default: true}}
tasks:
  a: {run: touch ran}
  ask: {needs: [a], if: "{{ inputs.ask }}", interactive: true, retries: 3, run: touch asked}
  may_fail: {needs: [a], interactive: true, continue_on_error: true, run: touch asked}
`,
      );
      assert.is((await run(['run', '-i', 'ask=false'], { folder })).code, 0);
      const failed = await run(['run'], { folder });
      assert.is(failed.code, 1);
      assert.match(failed.stderr.replace(/:5:\d+:/, ':5:').replace(/\d+\.\ds/, 'N.Ns'), `ask failed after N.Ns\nchrootfile.yml:5: ${why}\n`);
      assert.equal([existsSync(join(folder, 'ran')), existsSync(join(folder, 'asked'))], [true, false]);
    }));
});
