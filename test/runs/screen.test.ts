import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { Screen } from '../support/screen.js';
import { suite } from '../support/suite.js';

const recipe = `version: 1
name: r
inputs: {end: {type: string, default: "true"}}
tasks:
  a: {description: Begin, run: "echo working; until [ -e go ]; do sleep 0.02; done; echo x=1 >> $CHROOTFILE_OUTPUT", outputs: {x: }, undo: {run: "true"}}
  b: {if: "{{ eq 1 2 }}", run: "true"}
  c: {needs: [a, b], run: "{{ inputs.end }}"}
  d: {needs: [c], run: "true"}
outputs: {result: "{{ a.x }}"}
`;

/** A recipe of tasks that wait to be cancelled. */
const sleepers = (count: number, script = 'echo hello; sleep 60') =>
  `version: 1\nname: r\ntasks:\n${Array.from({ length: count }, (_, i) => `  t${i}: {run: "${script}"}\n`).join('')}`;

suite('the screen of a run', (test) => {
  test('shows what runs and one line of totals; what has ended scrolls off; the end names the run and its time', () =>
    inFolder({ 'r.yml': recipe }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml', folder);
      await screen.shows(/working\n/);
      await screen.shows(/skipped/);
      assert.is(
        screen.text,
        `run RUN: r.yml
-          b  skipped: "if" is false
* TIME  a  Begin  working
2 waiting · 1 of 4 done · TIME · Ctrl-C cancels
`,
      );
      writeFileSync(join(folder, 'go'), '');
      assert.is(await screen.ended, 0);
      assert.is(
        screen.text,
        `run RUN: r.yml
-          b  skipped: "if" is false
✔ TIME  a  Begin
✔ TIME  c
✔ TIME  d
run RUN succeeded in TIME
result = 1
`,
      );
    }));

  test('ends a failure with its cause, then the outcome and what to type next', () =>
    inFolder({ 'r.yml': recipe, go: '' }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -i "end=echo oops; exit 3"', folder);
      assert.is(await screen.ended, 1);
      assert.is(
        screen.text,
        `run RUN: r.yml
-          b  skipped: "if" is false
✔ TIME  a  Begin
✖ TIME  c  r.yml:7:22: exit code 3
not run: 1 task (d)

✖ c failed after TIME
r.yml:7:22: exit code 3
  $ echo oops; exit 3
  | oops
  log: chrootfile logs RUN c --state ${folder}/state

run RUN failed after TIME; everything it created was rolled back
  next: fix the recipe and run it again, or with --on-failure shell
`,
      );
    }));

  test('one failure among 20 tasks takes few lines: those cancelled because of it take one', () =>
    inFolder({ 'r.yml': sleepers(20).replace(/(t7: .*)sleep 60/, '$1until [ -e go ]; do sleep 0.02; done; exit 3') }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -j 20', folder);
      await screen.shows(/t19 {2}hello\n/);
      writeFileSync(join(folder, 'go'), '');
      assert.is(await screen.ended, 1);
      assert.is(screen.text.trimEnd().split('\n').length, 12, screen.text);
      assert.match(screen.text, /\ncancelled because t7 failed: (t\d+, ){5}t\d+ and 13 more\n/);
    }));

  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
    [200, 50],
  ] as const) {
    test(`never takes more rows or columns than ${columns} × ${rows}, whatever tasks print`, () =>
      inFolder({ 'r.yml': sleepers(60, "printf '%0200d\\\\n' 0; echo 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字; sleep 60") }, async (folder) => {
        const screen = new Screen('chrootfile run r.yml -j 60', folder, { columns, rows });
        await screen.shows(/(漢[\s\S]*){8}/);
        const { lines } = screen;
        assert.is(lines.length, rows, screen.text);
        assert.is(screen.wrapped, 0, screen.text);
        assert.match(
          screen.text,
          new RegExp(`… ${60 - (rows - 3)} more running\n0 waiting · 0 of 60 done · TIME${columns < 50 ? '' : ' · Ctrl-C cancels'}\n$`),
        );
        screen.type('\u0003');
        assert.is(await screen.ended, 130);
        assert.match(screen.text, /interrupted by SIGINT; everything it created was rolled back\n$/);
      }));
  }

  test('follows the size of the terminal, and leaves nothing of what it drew before', () =>
    inFolder({ 'r.yml': sleepers(8) }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -j 8', folder);
      await screen.shows(/t7 {2}hello\n/);
      screen.resize(30, 6);
      execFileSync('stty', ['-F', readFileSync(join(folder, 'tty'), 'utf8').trim(), 'cols', '30', 'rows', '6']);
      await screen.shows(/… 5 more running\n0 waiting · 0 of 8 done · TIME/);
      assert.is(screen.lines.filter((line) => line.includes('waiting')).length, 1, screen.text);
      screen.type('\u0003');
      assert.is(await screen.ended, 130);
    }));

  test('acknowledges Ctrl-C, names the signal or the timeout, and kills on the second', () =>
    inFolder({ 'r.yml': sleepers(60, "trap '' TERM; echo hello; while :; do sleep 1; done") }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -j 2', folder);
      await screen.shows(/hello[\s\S]*hello/);
      screen.type('\u0003');
      await screen.shows(/\ncancelling 2 tasks…; again to kill them · interrupted by SIGINT · TIME\n/);
      // Sooner it would count as the same signal.
      await new Promise((done) => setTimeout(done, 400));
      screen.type('\u0003');
      assert.is(await screen.ended, 130);
      assert.match(
        screen.text,
        /\ncancelled: t[01], t[01]\nnot run: 58 tasks \(t2, t3, t4, t5, t6, t7 and 52 more\)\n\nrun RUN failed after TIME: interrupted by SIGINT;/,
      );
      writeFileSync(join(folder, 'r.yml'), sleepers(2));
      const late = new Screen('chrootfile run r.yml --timeout 1s', folder, { columns: 100 });
      assert.is(await late.ended, 124);
      assert.match(late.text, /\nrun RUN failed after TIME: timed out after 1 s \(--timeout\); everything it created was rolled back\n$/);
    }));

  test('leaves no row behind where the terminal echoes ^C after a full row', () =>
    inFolder({ 'r.yml': sleepers(60, 'echo hello; sleep 60') }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -j 2', folder, { columns: 40, rows: 10 });
      await screen.shows(/hello[\s\S]*hello/);
      screen.type('\u0003');
      assert.is(await screen.ended, 130);
      assert.not.match(screen.text, /^\*/m);
    }));

  test('leaves no row behind where somebody presses Enter', () =>
    inFolder({ 'r.yml': sleepers(3) }, async (folder) => {
      const screen = new Screen('chrootfile run r.yml -j 3', folder, { columns: 60, rows: 8 });
      await screen.shows(/t2 {2}hello\n/);
      for (const keys of ['\n', 'x\n', '\n\n']) {
        screen.type(keys);
        await screen.redraws();
        assert.is(screen.text.match(/hello|of 3 done|x/g)?.join(), 'hello,hello,hello,of 3 done', screen.text);
      }
      screen.type('\u0003');
      assert.is(await screen.ended, 130);
      assert.match(screen.text, /^run RUN: r.yml\ncancelled: (t\d,? ?){3}\n\nrun RUN failed after TIME: interrupted by SIGINT;/);
    }));

  test('counts as done neither tasks that failed nor those that do not run', () =>
    inFolder(
      {
        'r.yml': `version: 1
name: r
tasks:
  failing: {run: "exit 3"}
  not-run: {needs: [failing], run: "true"}
  quick: {run: "true"}
  waiting: {needs: [quick], run: "echo hello; sleep 60"}
`,
      },
      async (folder) => {
        const screen = new Screen('chrootfile run r.yml --keep-going', folder);
        await screen.shows(/ waiting {2}hello\n1 failed · 0 waiting · 1 of 4 done · TIME · Ctrl-C cancels\n/);
        screen.type('\u0003');
        assert.is(await screen.ended, 130);
      },
    ));

  test('shows what a task waits for before it starts: a lock, its preconditions, whether it is up to date', () =>
    inFolder(
      {
        'r.yml': `version: 1
name: r
tasks:
  locked: {locks: [screen-test], run: "true"}
  asking: {preconditions: [{sh: "until [ -e met ]; do sleep 0.02; done"}], run: "true"}
  looking: {status: ["until [ -e seen ]; do sleep 0.02; done"], run: "false"}
`,
        'holder.yml': `version: 1
name: holder
tasks: {a: {locks: [screen-test], run: "echo held; until [ -e go ]; do sleep 0.02; done"}}
`,
      },
      async (folder) => {
        const holder = new Screen('chrootfile run holder.yml', folder);
        await holder.shows(/held\n/);
        const screen = new Screen('chrootfile run r.yml -j 3', folder);
        for (const row of ['locked  waiting for a lock held by run RUN', 'asking  checking its preconditions', 'looking  checking whether it is up to date']) {
          await screen.shows(new RegExp(`\n· TIME {2}${row}\n`));
        }
        assert.match(screen.text, /\n0 waiting · 0 of 3 done/);
        for (const file of ['go', 'met', 'seen']) writeFileSync(join(folder, file), '');
        assert.equal([await holder.ended, await screen.ended], [0, 0]);
        assert.match(screen.text, /\n✔ {10}looking {2}up to date: its status commands succeed\n/);
      },
    ));

  test('leaves out the description of a task where there is no room for what it prints', () =>
    inFolder(
      {
        'r.yml': `version: 1\nname: r\ntasks:\n  a: {description: "A description of some length", run: "until [ -e go ]; do sleep 0.02; done; echo hello; sleep 60"}\n`,
      },
      async (folder) => {
        const screen = new Screen('chrootfile run r.yml', folder, { columns: 45 });
        await screen.shows(/\n\* TIME {2}a {2}A description of some length\n/);
        writeFileSync(join(folder, 'go'), '');
        await screen.shows(/\n\* TIME {2}a {2}hello\n/);
        screen.type('\u0003');
        assert.is(await screen.ended, 130);
      },
    ));

  test('has a column of percent while a task knows how far it is', () =>
    inFolder(
      {
        'r.yml': `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  other: {needs: [volume], run: "echo hello; sleep 60"}
`,
        'slow.json': '{"snapshot": 60000000}',
      },
      async (folder) => {
        const screen = new Screen('chrootfile run r.yml', folder, { env: { CHROOTFILE_LOCAL_LATENCY: join(folder, 'slow.json') } });
        await screen.shows(/\n\* TIME {4}0% {2}snapshot {2}snapshot\n/);
        await screen.shows(/\n\* TIME {8}other {2}hello\n/);
        screen.type('\u0003');
        assert.is(await screen.ended, 130);
      },
    ));

  test('answers signals during an undo: the first with what the second does', () =>
    inFolder(
      {
        'r.yml': `version: 1
name: r
tasks:
  a: {run: "true", undo: {run: "echo undoing; until [ -e a ]; do sleep 0.02; done"}}
  b: {needs: [a], run: "true", undo: {run: "until [ -e b ]; do sleep 0.02; done"}}
  c: {needs: [b], run: "exit 3"}
`,
      },
      async (folder) => {
        const screen = new Screen('chrootfile run r.yml', folder, { columns: 140 });
        await screen.shows(/\nrolling back 2 changes: 0 done · a task failed · TIME\n/);
        screen.type('\u0003');
        const said = 'interrupted by SIGINT: still rolling back; a second signal ends the wait';
        await screen.shows(new RegExp(`${said}[^]*\nrolling back 2 changes: 0 done · a task failed · TIME\n$`));
        writeFileSync(join(folder, 'b'), '');
        await screen.shows(/\nrolling back 2 changes: 1 done · b \(script\) · a task failed · TIME\n/);
        assert.match(screen.text, said);
        // Sooner it would count as the same signal.
        await new Promise((done) => setTimeout(done, 400));
        screen.type('\u0003');
        await screen.shows(/\n! interrupted by SIGINT: no longer waiting\n/);
        assert.is(await screen.ended, 5, screen.text);
      },
    ));

  test('is lines and no colour on a terminal that cannot be drawn on; colours as NO_COLOR and FORCE_COLOR say', () =>
    inFolder({ 'r.yml': recipe }, async (folder) => {
      const colour = '\u001b[32m✔';
      for (const [env, isDrawn, isColoured] of [
        [{ NO_COLOR: '' }, true, true],
        [{}, true, false],
        [{ FORCE_COLOR: '1' }, true, true],
        [{ NO_COLOR: '', TERM: 'dumb' }, false, false],
        [{ NO_COLOR: '', CI: 'true' }, false, true],
      ] as const) {
        rmSync(join(folder, 'go'), { force: true });
        const screen = new Screen('chrootfile run r.yml', folder, { env });
        await screen.shows(isDrawn ? /Ctrl-C cancels\n/ : /working\n/);
        writeFileSync(join(folder, 'go'), '');
        assert.is(await screen.ended, 0);
        assert.equal([screen.written.includes('\u001b[J'), screen.written.includes(colour)], [isDrawn, isColoured], JSON.stringify(env));
      }
    }));
});

suite('the screen of a check', (test) => {
  test('has places in bold, errors red and codes dim', () =>
    inFolder({ 'r.yml': 'version: 1\ntasks:\n  a: {rnu: "true"}\n' }, async (folder) => {
      const screen = new Screen('chrootfile check r.yml', folder, { env: { NO_COLOR: '' } });
      assert.is(await screen.ended, 2);
      const [first, , , carets] = screen.written.replaceAll('\r', '').replaceAll('\u001b', '').split('\n');
      assert.match(first ?? '', /^\[1mr\.yml:3:\d+\[22m\[31m: .*\[39m\[2m \[[\w-]+\]\[22m$/);
      assert.match(carets ?? '', /^ {2}\| +\[31m\^+\[39m$/);
    }));
});

suite('a run in GitHub Actions', (test) => {
  test('prints the output of each task as a group that obeys no command, annotates failures and writes a job summary', () =>
    inFolder(
      { 'r.yml': `version: 1\nname: r\ntasks:\n  a: {run: "echo ::error::no", undo: {run: "echo gone"}}\n  "b": {needs: [a], run: "echo 50%; exit 3"}\n` },
      async (folder) => {
        const ran = await run(['run', 'r.yml'], { folder, env: { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: join(folder, 'summary.md') } });
        assert.is(ran.code, 1);
        const plain = (text: string) =>
          text
            .replace(/\d{8}-\d{6}-\w+-\w{4}/g, 'RUN')
            .replace(/[0-9a-f]{8}-[-0-9a-f]{27}/g, 'TOKEN')
            .replace(/\d+\.\ds/g, 'TIME');
        assert.is(
          plain(ran.stdout),
          `run RUN: r.yml
> a
::group::✔ a TIME
::stop-commands::TOKEN
::error::no
::TOKEN::
::endgroup::
> b
::group::✖ b failed after TIME
::stop-commands::TOKEN
50%
::TOKEN::
::endgroup::
< rolling back 1 change (a task failed)
::group::< undo a (script)
::stop-commands::TOKEN
gone
::TOKEN::
::endgroup::
::stop-commands::TOKEN
::TOKEN::
::error file=r.yml,line=5,col=21,title=b failed::exit code 3%0A  $ echo 50%25; exit 3%0A  | 50%25
`,
        );
        assert.is(
          plain(readFileSync(join(folder, 'summary.md'), 'utf8')),
          `### ✖ run RUN failed in TIME

| task | outcome | time |
| --- | --- | --- |
| a | succeeded | TIME |
| b | failed | TIME |

`,
        );
        assert.match(
          plain(ran.stderr),
          /^\n✖ b failed after TIME\nr\.yml:5:21: exit code 3\n {2}\$ echo 50%; exit 3\n {2}\| 50%\n {2}log: chrootfile logs RUN b --state \S+\n\nrun RUN failed/,
        );
        const below = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: dirname(folder) };
        const file = join(basename(folder), 'r.yml');
        assert.match((await run(['run', 'r.yml'], { folder, env: below })).stdout, `\n::error file=${file},line=5,col=21,title=b failed::`);
        writeFileSync(join(folder, 'bad.yml'), 'version: 1\ntasks: {a: {rnu: x}}\n');
        assert.match((await run(['check', 'bad.yml', '--format', 'github'], { folder, env: below })).stdout, `::error file=${basename(folder)}/bad.yml,line=`);
        const elsewhere = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: join(folder, 'state') };
        assert.match((await run(['run', 'r.yml'], { folder, env: elsewhere })).stdout, `\n::error file=${file.replace(/.*\//, '')},line=5,`);
        writeFileSync(
          join(folder, 'o.yml'),
          'version: 1\nname: o\nvars: {v: "one\\n::error::pwned"}\ntasks: {a: {run: "true"}}\noutputs: {v: "{{ vars.v }}"}\n',
        );
        const named = plain((await run(['run', 'o.yml'], { folder, env: { GITHUB_ACTIONS: 'true' } })).stdout);
        assert.match(named, /::stop-commands::TOKEN\nrun RUN succeeded in TIME\nv = one\n::error::pwned\n(.*\n)*::TOKEN::\n$/);
      },
    ));
});
