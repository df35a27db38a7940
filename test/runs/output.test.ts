import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hostShell } from '../../src/linux/command.js';
import { PipeMaker } from '../../src/linux/fifo.js';
import { Redactor } from '../../src/runtime/output/redactor.js';
import { redactedOutput, TaskOutput } from '../../src/runtime/output/task_output.js';
import { RunRecord } from '../../src/runtime/runs/event_log.js';
import { RunFolder } from '../../src/runtime/runs/run_folder.js';
import { inFolder } from '../support/folder.js';
import { program, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** What would set a title, write the clipboard, clear the screen, ring, hide text, go up a line. */
const nasty = [
  '\u001b]0;title\u0007',
  '\u001b]52;c;aGk=\u001b\\',
  '\u001b[2J',
  '\u0007',
  '\u001b[8m',
  '\u009b1A',
  '\u009d0;t\u009c',
  '\u001bc',
  '\u001bPq\u001b\\',
  '\u007f',
];

/** For a string in double quotes of YAML. */
const escaped = (text: string) => [...text].map((c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');

suite('the output of tasks', (test) => {
  test('is as a terminal would leave it: of a line that was written over, the last state', () =>
    inFolder({}, async (folder) => {
      const script = ['10%%\\r50%%\\r100%%\\n', 'dos\\r\\n', 'a\\rb\\r\\r\\n', '\\r\\n', 'no end\\r'].map((text) => `printf '${text}'`).join('; ');
      const ran = await runRecipe(
        folder,
        `tasks:\n  a: {run: "${script.replaceAll('\\', '\\\\')}"}\n  b: {run: "printf 1; for i in 2 3; do sleep 0.1; printf '\\\\r'; sleep 0.1; printf $i; done; sleep 0.1; echo"}\n`,
      );
      assert.is(ran.log('a'), '100%\ndos\nb\n\nno end\n');
      assert.is(ran.log('b'), '3\n');
    }));

  test('may come byte by byte, without an end of a line, and over what stands there', () => {
    const began = process.cpuUsage();
    for (const [text, wanted] of [
      ['x'.repeat(70_000), 'x'.repeat(70_000)],
      [`${'x'.repeat(70_000)}${'\r'.repeat(30_000)}`, 'x'.repeat(70_000)],
      ['a\rbc\r\rd\r', 'd'],
      ['a\rbc\r\r\n\re', 'bc\ne'],
      ['\r\n\r\r\nf\n\r', '\n\nf'],
    ] as const) {
      const lines: string[] = [];
      const output = new TaskOutput(new Redactor(), { onLines: (more) => lines.push(...more) });
      for (const byte of Buffer.from(text)) output.write(Buffer.of(byte));
      output.end();
      assert.is(lines.join('\n'), wanted);
    }
    const { user } = process.cpuUsage(began);
    assert.ok(user < 5e6, `${user} µs`);
  });

  test('reaches no log, no report and no terminal with what a terminal obeys', () =>
    inFolder({}, async (folder) => {
      writeFileSync(join(folder, 'nasty'), nasty.map((sequence, i) => `${i}<${sequence}>\n`).join(''));
      const text = `tasks:\n  a: {run: "cat nasty; printf '\\\\033[1;31mred\\\\033[0m\\\\ttab\\\\033]0;open\\\\nnext\\\\033['; exit 1"}\n`;
      const ran = await runRecipe(folder, text);
      const lines = `${nasty.map((_, i) => `${i}<>\n`).join('')}red\ttab0;open\nnext\n`;
      assert.is(ran.log('a'), lines);
      assert.not.match(ran.ended.stdout, control);
      assert.match(ran.errors['a'] ?? '', `  | red\ttab0;open\n  | next`);
      // On a terminal, as lines and drawn: our own sequences alone, which only move, erase lines and colour.
      for (const flags of ['-v', '']) {
        const command = `stty cols 100 rows 30; ${program} run r.yml ${flags}`;
        const screen = execFileSync('script', ['--quiet', '--command', `${command} || true`, '/dev/null'], {
          cwd: folder,
          env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '', TERM: 'xterm' },
          encoding: 'utf8',
        });
        assert.match(screen, /next/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
        const rest = screen.replace(/\u001b(?:\[(?:\d+m|\?7[hl]|\d*[A-GK]|0J|J)|[78])|\r/g, '');
        assert.not.match(rest, control, JSON.stringify(screen));
        for (const sequence of nasty) assert.not.ok(screen.includes(sequence), JSON.stringify(sequence));
      }
    }));

  test(
    'is no way in for what recipes and images are called',
    () =>
      inFolder({}, async (folder) => {
        const bad = escaped(nasty.join('x'));
        const recipe = `version: 1
name: r
description: "${bad}"
inputs: {i: {type: string, description: "${bad}", default: "${bad}"}}
tasks:
  volume: {uses: ec2.volume, with: {size: 1}, description: "${bad}"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}", description: "\\x9b2Jx"}} # of what terminals obey, all that EC2 takes
outputs: {o: "{{ inputs.i }}"}
`;
        writeFileSync(join(folder, 'r.yml'), recipe);
        writeFileSync(join(folder, 'bad.yml'), `version: 1\nname: r\ntasks:\n  a: {run: "true", needs: ["${bad}"]} # ${nasty.join('')}\n`);
        writeFileSync(join(folder, `${nasty[2]}.yml`), 'version: 1\n');
        const commands = [
          ['run', 'r.yml', '--format', 'plain'],
          ['run', 'r.yml', '--format', 'json'],
          ['list', 'r.yml'],
          ['list', 'r.yml', '--json'],
          ['plan', 'r.yml'],
          ['plan', 'r.yml', '--json'],
          ['graph', 'r.yml'],
          ['local', 'snapshots'],
          ['local', 'snapshots', '--json'],
          ['logs'],
          ['runs'],
        ];
        for (const args of commands) {
          const ran = await run(args, { folder });
          assert.is(ran.code, 0, ran.stderr);
          assert.not.match(ran.stdout + ran.stderr, control, args.join(' '));
        }
        for (const args of [
          ['check', 'bad.yml'],
          ['check', 'bad.yml', '--format', 'json'],
          ['check', `${nasty[2]}.yml`],
          ['run', `${nasty[0]}.yml`],
          [nasty[0] ?? ''],
          ['logs', nasty[2] ?? ''],
        ]) {
          const ran = await run(args, { folder });
          assert.ok(ran.code !== 0);
          assert.not.match(ran.stdout + ran.stderr, control, args.join(' '));
        }
        // Values are handed on as they are.
        const json = await run(['run', 'r.yml', '--format', 'json'], { folder });
        assert.is((JSON.parse(json.stdout.trimEnd().split('\n').at(-1) ?? '') as { outputs: { o: string } }).outputs.o, nasty.join('x'));
      }),
    60_000,
  );
});

suite('the commands that a run suggests', (test) => {
  test('work as they are printed, wherever the state is and whatever the task is called', () =>
    inFolder({}, async (folder) => {
      const state = join(folder, 'my state');
      const recipe = `version: 1
name: r
tasks:
  a: {run: "true", undo: {run: "echo undone >> undone"}}
  b: {strategy: {matrix: {size: [1, 2]}}, needs: [a], run: "echo log of {{ matrix.size }}; exit 3"}
`;
      writeFileSync(join(folder, 'r.yml'), recipe);
      const failed = await run(['run', 'r.yml', '-j', '1', '--on-failure', 'keep', '--state', state], { folder });
      const suggested = (about: string) => new RegExp(`^ {2}${about}: +chrootfile (.*)$`, 'm').exec(failed.stderr)?.[1] ?? `no ${about}: ${failed.stderr}`;
      const typed = (words: string) => execFileSync('sh', ['-c', `${program} ${words}`], { cwd: folder, env: { ...process.env, CHROOTFILE_STATE: '' } });
      assert.match(suggested('log'), `--state '${state}'`);
      assert.is(typed(suggested('log')).toString(), 'log of 1\n');
      typed(suggested('undo'));
      assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'undone\n');
    }));
});

suite('the pipe of a task', (test) => {
  test('is not left half open where it cannot be opened', () =>
    inFolder({}, async (folder) => {
      const pipes = new PipeMaker(join(folder, 'pipes'), hostShell, redactedOutput(new Redactor()));
      const pipe = await pipes.open({ onLines: () => {} });
      // A folder can be opened for reading only.
      for (const name of ['1', '2', '3']) {
        rmSync(join(folder, 'pipes', name));
        mkdirSync(join(folder, 'pipes', name));
      }
      const error = await pipes.open({ onLines: () => {} }).catch((cause: Error) => cause);
      assert.match(String(error), 'EISDIR');
      const open = readdirSync('/proc/self/fd').map((fd) => {
        try {
          return readlinkSync(join('/proc/self/fd', fd));
        } catch {
          return '';
        }
      });
      assert.equal([...new Set(open.filter((path) => path.startsWith(folder)))], [join(folder, 'pipes/0')]);
      pipe.started();
      await pipe.drained;
    }));
});

suite('the log of a task', (test) => {
  test('that cannot be written to its end is closed once, and no file that has its descriptor since', () =>
    inFolder({}, (folder) => {
      const place = new RunFolder(folder, 'r');
      mkdirSync(place.logs, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place.logs]);
      try {
        const record = new RunRecord(place, 100);
        record.record({ type: 'task.output', task: 'a', lines: Array.from({ length: 1_000 }, (_, i) => `a line of output, number ${i}`) });
        assert.throws(() => writeFileSync(join(place.logs, 'full'), 'x'.repeat(100_000)), /ENOSPC/);
        assert.throws(() => record.record({ type: 'task.finished', task: 'a', outcome: 'succeeded', seconds: 1 }), /ENOSPC/);
        const others = Array.from({ length: 8 }, () => openSync('/dev/null', 'r'));
        record.close();
        for (const fd of others) assert.ok(fstatSync(fd).isCharacterDevice());
        for (const fd of others) closeSync(fd);
        record.close();
      } finally {
        execFileSync('umount', [place.logs]);
      }
    }));

  test('has a limit: the beginning is kept, and the end of what came', () =>
    inFolder({}, async (folder) => {
      const recipe = 'tasks:\n  a: {run: "seq 100000; echo the end"}\n  b: {run: "seq 1000"}\n';
      const ran = await runRecipe(folder, recipe, ['--log-limit', '64K']);
      assert.is(ran.code, 0, ran.ended.stderr);
      const log = ran.log('a');
      assert.ok(log.length < 3 * 65_536, `${log.length}`);
      const lines = log.trimEnd().split('\n');
      const cut = lines.findIndex((line) => line.startsWith('…'));
      assert.is(lines[cut], '… cut here: the log of a task is limited to 65536 bytes (run --log-limit); its last lines follow');
      assert.ok(lines.slice(0, cut).every((line, i) => line === String(i + 1)));
      assert.ok(lines.slice(0, cut).join('\n').length > 65_000);
      const rest = lines.slice(cut + 1);
      assert.equal([rest.length > 1_000, rest.pop(), rest.at(-1)], [true, 'the end', '100000']);
      assert.ok(rest.every((line, i) => Number(line) === 100_000 - rest.length + 1 + i));
      assert.not.match(ran.log('b'), '…');
      // Reports have all of it.
      assert.is(ran.events.filter(({ type, task }) => type === 'task.output' && task === 'a').flatMap(({ lines }) => lines as string[]).length, 100_001);
      assert.match((await run(['run', 'r.yml', '--log-limit', '1'], { folder })).stderr, 'write a size such as 10M, 50G or 1T');
      assert.match(readFileSync(join(folder, 'state/runs', String(ran.events[0]?.['run']), 'logs/b.log'), 'utf8'), /^1\n/);
    }));
});
