import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RunsJson } from '../../src/cli/schemas/runs.js';
import { ownIdentity } from '../../src/linux/process_identity.js';
import { Journal } from '../../src/runtime/runs/journal.js';
import { endUndo, undoNotes } from '../../src/runtime/runs/undo.js';
import { heldBy } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { repository, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  script: {needs: [disk], run: "true", undo: {run: "echo undone >> undone"}}
  wait: {needs: [script], run: "echo ready {{ disk.device }}; sleep 100"}
`;

/** A run that was killed with a volume, its attachment and a script's note; gives its journal. */
async function killedRun(folder: string): Promise<string> {
  writeFileSync(join(folder, 'r.yml'), recipe);
  const started = start(['run', 'r.yml'], { folder });
  await started.saw('wait | ready');
  started.child.kill('SIGKILL');
  await started.ended;
  const id = readdirSync(join(folder, 'state/runs'))[0] ?? '';
  return join(folder, 'state/runs', id, 'journal.jsonl');
}

suite('a journal', (test) => {
  for (const [what, damage, line, why] of [
    ['whose first line is zeroed', (text: string) => text.replace(/^.*\n/, (first) => `${'\0'.repeat(first.length - 1)}\n`), 1, 'unreadable line'],
    ['that is empty', () => '', 1, 'the file is empty'],
    ['with garbage in the middle', (text: string) => text.replace(/\n/, '\n{"type":"no\n'), 2, 'unreadable line'],
  ] as const) {
    test(
      `${what} is an error that names it; what it told of is found by tag, once and for all`,
      () =>
        inFolder({}, async (folder) => {
          const before = await lookAtHost();
          const journal = await killedRun(folder);
          writeFileSync(journal, damage(readFileSync(journal, 'utf8')));
          const listed = await run(['runs'], { folder });
          assert.match(listed.stdout, / {2}unreadable {2}/);
          assert.is(listed.stderr, `error: ${journal}:${line}: ${why}\n`);
          const undone = await run(['undo', '--all'], { folder });
          assert.is(undone.code, 5, undone.stdout + undone.stderr);
          assert.match(undone.stderr, `${journal}:${line}: ${why}; the damaged file is kept as ${journal}.broken`);
          assert.equal(heldBy(folder), []);
          assert.equal(differences(before, await lookAtHost()), []);
          // What stands in lines that can be read is undone as ever.
          assert.is(existsSync(join(folder, 'undone')), why !== 'the file is empty');
          const again = await run(['undo', '--all'], { folder });
          assert.equal([again.code, again.stdout], [0, 'nothing to undo\n']);
        }),
      60_000,
    );
  }

  test('of a run that succeeded that lost its end keeps what the run made', () =>
    inFolder(
      {
        'r.yml':
          'version: 1\nname: r\ntasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}\n',
      },
      async (folder) => {
        assert.is((await run(['run', 'r.yml'], { folder })).code, 0);
        const kept = heldBy(folder);
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        const journal = join(folder, 'state/runs', id, 'journal.jsonl');
        for (const damage of [(text: string) => text.replace(/.*\n$/, ''), (text: string) => text.replace('"ended"', '"ende')]) {
          writeFileSync(journal, damage(readFileSync(journal, 'utf8')));
          const undone = await run(['undo', '--all'], { folder });
          assert.is(undone.code, 5, undone.stdout + undone.stderr);
          assert.match(undone.stderr, /journal\.jsonl:(\d+: unreadable line| the end of the file is missing); the damaged file is kept as/);
          assert.equal(heldBy(folder), kept);
          assert.match((await run(['runs'], { folder })).stdout, '  succeeded  ');
          assert.equal((await run(['undo', '--all'], { folder })).stdout, 'nothing to undo\n');
        }
      },
    ));

  test('whose last line was cut off is good, and goes on with a whole line', () =>
    inFolder({}, async (folder) => {
      const journal = await killedRun(folder);
      appendFileSync(journal, '{"type":"note","id":9,"ta');
      const undone = await run(['undo', '--all'], { folder });
      assert.is(undone.code, 0, undone.stdout + undone.stderr);
      assert.equal(heldBy(folder), []);
      for (const line of readFileSync(journal, 'utf8').trimEnd().split('\n')) JSON.parse(line);
      assert.match((await run(['runs'], { folder })).stdout, / {2}interrupted {2,}0 {2}/);
    }));

  test('that takes no more notes ends the run: what goes on is cancelled and awaited, then all is undone', () =>
    inFolder({}, async (folder) => {
      const many = Array.from(
        { length: 40 },
        (_, i) => `  t${i}: {needs: [first], env: {X: "{{ vars.x }}"}, run: "true", undo: {run: "echo undo >> undone"}}\n`,
      ).join('');
      const tasks = `  first: {run: "true"}\n  long: {run: "trap 'echo cancelled >> ended; exit 1' TERM; echo on; sleep 30 & wait"}\n${many}`;
      writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\nvars: {x: ${'x'.repeat(3000)}}\ntasks:\n${tasks}`);
      // A file may become this large and no larger: the journal is the only one that does.
      const ended = await run(['run', 'r.yml', '-j', '4', '--format', 'json'], { folder, limit: 60_000 });
      const events = ended.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; task?: string; outcome?: string; error?: string; run?: string });
      assert.is(ended.code, 1, ended.stdout.slice(-2000));
      const failed = events.filter(({ type, outcome }) => type === 'task.finished' && outcome === 'failed');
      assert.match(failed[0]?.error ?? '', /journal\.jsonl cannot be written: EFBIG/);
      assert.is(readFileSync(join(folder, 'ended'), 'utf8'), 'cancelled\n');
      assert.ok(
        events.findIndex(({ type, task }) => type === 'task.finished' && task === 'long') < events.findIndex(({ type }) => type === 'undo.started'),
        'nothing is undone while a task goes on',
      );
      const notes = readFileSync(join(folder, 'state/runs', events.at(-1)?.run ?? '', 'journal.jsonl'), 'utf8').match(/"type":"note"/g)?.length ?? 0;
      assert.ok(notes > 3);
      assert.is(readFileSync(join(folder, 'undone'), 'utf8').split('\n').length - 1, notes);
    }));

  test('of which a note can neither be undone nor be said what to type: the others are undone', () =>
    inFolder({}, async (folder) => {
      const head = { format: 2, run: 'r', recipe: 'r.yml', started: '', cloud: { provider: 'local' as const }, owner: ownIdentity(), sandbox: true };
      const journal = Journal.create(join(folder, 'journal.jsonl'), head);
      for (const kind of ['good', 'corrupt']) journal.add({ task: kind, kind, standsOn: [], on: [], data: '' });
      const broken = () => {
        throw new Error('EIO: i/o error, lstat');
      };
      const undoers = new Map([
        ['good', { undo: async () => {}, byHand: () => [] }],
        ['corrupt', { undo: async () => broken(), byHand: broken }],
      ]);
      const host = { signal: AbortSignal.abort(), makeRoom: async () => {} } as never;
      const left = await undoNotes(journal.open, { journal, undoers, host, emit: () => {}, gates: 'all' });
      assert.equal(left, [{ task: 'corrupt', kind: 'corrupt', error: 'EIO: i/o error, lstat', by_hand: [] }]);
      assert.equal(
        journal.open.map(({ kind }) => kind),
        ['corrupt'],
      );
      journal.close();
    }));

  test('that cannot even say what was undone is named as left, and the undo done once more', () =>
    inFolder({ 'm/x': '' }, async (folder) => {
      const place = join(folder, 'm');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'none', place]);
      try {
        const file = join(place, 'journal.jsonl');
        const head = { format: 2, run: 'r', recipe: 'r.yml', started: '', cloud: { provider: 'local' as const }, owner: ownIdentity(), sandbox: true };
        const journal = Journal.create(file, head);
        const note = { task: 't', kind: 'k', standsOn: [], on: [] };
        // One page for the journal, but for some bytes, and one for another file.
        const { id } = journal.add({ ...note, data: '' });
        journal.update(id, 'x'.repeat(4080 - statSync(file).size - JSON.stringify({ type: 'note', id, ...note, data: '' }).length));
        writeFileSync(join(place, 'other'), 'x'.repeat(4096));
        let undone = 0;
        const undo = async () => {
          undone += 1;
        };
        const undoers = new Map([['k', { undo, byHand: () => [] }]]);
        const host = { signal: new AbortController().signal, makeRoom: async () => {} } as never;
        const left = await undoNotes(journal.open, { journal, undoers, host, emit: () => {}, gates: 'all' });
        assert.equal([undone, left], [1, []]);
        assert.equal(endUndo(journal, left), [
          {
            task: 'run',
            kind: 'journal',
            error: `${file} cannot be written: ENOSPC: no space left on device, write`,
            by_hand: [`chrootfile undo r --state ${dirname(folder)}`],
          },
        ]);
        journal.close();
        rmSync(join(place, 'other'));
        const again = Journal.open(file);
        assert.is(again.open.length, 1);
        await undoNotes(again.open, { journal: again, undoers, host, emit: () => {}, gates: 'all' });
        assert.equal([undone, endUndo(again, [])], [2, []]);
        again.close();
      } finally {
        execFileSync('umount', [place]);
      }
    }));
});

suite('formats', (test) => {
  test('of a newer version are refused by name, and nothing is changed', () =>
    inFolder({}, async (folder) => {
      const journal = await killedRun(folder);
      const good = readFileSync(join(folder, 'state/format'), 'utf8');
      writeFileSync(join(folder, 'state/format'), '9\n');
      for (const args of [
        ['run', 'r.yml'],
        ['undo', '--all'],
        ['runs'],
        ['local', 'images'],
        ['local', 'serve', '--port', '0', '--metadata-port', '0'],
        ['gc'],
      ]) {
        const refused = await run(args, { folder });
        assert.equal([refused.code, refused.stdout], [3, ''], args.join(' '));
        assert.match(refused.stderr, `error: ${join(folder, 'state')} has format 9, but this version of chrootfile reads formats 1 and 2`);
      }
      writeFileSync(join(folder, 'state/format'), good);
      const text = readFileSync(journal, 'utf8');
      writeFileSync(journal, text.replace('"format":2', '"format":9'));
      const refused = await run(['undo', '--all'], { folder });
      assert.is(refused.code, 3);
      assert.match(refused.stderr, `${journal} has format 9, but this version of chrootfile reads formats 1 and 2`);
      writeFileSync(journal, text);
      assert.is((await run(['undo', '--all'], { folder })).code, 0);
    }));

  test('1: its dead runs are undone, its images used and destroyed; what it made is never taken for a leftover', () =>
    inFolder({}, async (folder) => {
      mkdirSync(join(folder, 'state'));
      execFileSync('tar', ['--sparse', '-xzf', join(repository, 'test/fixtures/state-1.tar.gz'), '-C', join(folder, 'state')]);
      cpSync(join(repository, 'test/fixtures/state-1.yml'), join(folder, 'r.yml'));
      const listed = (JSON.parse((await run(['runs', '--json'], { folder })).stdout) as RunsJson).runs;
      assert.equal(
        listed.map(({ state, open }) => [state, open]),
        [
          ['succeeded', 0],
          ['interrupted', 4],
        ],
      );
      assert.equal(JSON.parse((await run(['gc', '--older', '0s', '--json'], { folder })).stdout), []);
      const undone = await run(['undo', '--all'], { folder });
      assert.is(undone.code, 0, undone.stdout + undone.stderr);
      const kept = heldBy(folder);
      assert.equal(
        kept.map((line) => line.replace(/snap-\w+/, 'snap')),
        ['local-1 images base', 'local-1 snapshots snap'],
      );
      const next = await run(['run', 'r.yml', 'next'], { folder });
      assert.is(next.code, 0, next.stdout + next.stderr);
      assert.is(readFileSync(join(folder, 'state/format'), 'utf8'), '2\n');
      const destroyed = await run(['destroy', listed[0]?.run ?? '', '--yes'], { folder });
      assert.is(destroyed.code, 0, destroyed.stdout + destroyed.stderr);
      assert.equal(heldBy(folder), []);
    }));
});
