import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, inTurn, peakMemory, program, type Row } from './measure.js';

/** The cost of starting, checking and running many small tasks, and the memory of a run with much output. */
export async function start(folder: string, rounds: number): Promise<Row[]> {
  const env = { CHROOTFILE_STATE: join(folder, 'state') };
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return name;
  };
  const ours = (...args: string[]): Contender => ({ who: 'chrootfile', command: () => [program, ...args], env });
  const node: Contender = { who: 'node -e 0', command: () => ['node', '-e', '0'] };
  const check = file('check.yml', tasks(30, 'run: "echo {{ run.id }}"'));
  file('packer.json', '{"builders": [{"type": "null", "communicator": "none"}], "provisioners": [{"type": "shell-local", "inline": ["true"]}]}');
  const packer: Contender = { who: 'packer validate', command: () => ['packer', 'validate', 'packer.json'], env: { CHECKPOINT_DISABLE: '1' } };
  file(
    'Makefile',
    `all: ${names(1000).join(' ')}\n${names(1000)
      .map((name) => `${name}:\n\t@true; true\n`)
      .join('')}`,
  );
  const rows = [
    row('`check` of a 30-task recipe', inTurn([ours('check', check), node, packer], rounds, folder), '≤ 3 × node -e 0', 3),
    row(
      '1,000 tasks with only `needs`',
      inTurn([ours('run', file('needs.yml', tasks(1000, 'if: true')), '-q'), node], rounds, folder),
      '≤ 3 × node -e 0',
      3,
      'Parsing 1,000 tasks and their positions with the package yaml alone takes 1.6 × node -e 0, without the start of Node. A parser that computes positions only for errors would halve that, but it would be another package.',
    ),
    row(
      '1,000 tasks of `true; true`',
      inTurn(
        [ours('run', file('true.yml', tasks(1000, 'run: "true; true"', false)), '-q', '-j', '2'), { who: 'make -j2', command: () => ['make', '-s', '-j2'] }],
        rounds,
        folder,
      ),
      '≤ 6 × make -j2',
      6,
      'Each script starts setpriv, unshare, a shell as process 1 and its own shell, forked from a large process. Without setpriv and the second shell the ratio was 5.6, but then scripts outlive a killed run, and a script that is process 1 ignores signals. A small helper that forks would save a tenth.',
    ),
  ];
  file('lines.yml', 'version: 1\nname: lines\ntasks:\n  many: {run: "seq 1000000; sleep 0.3"}\n');
  const memory = await peakMemory([program, 'run', 'lines.yml'], env, folder);
  const lines = inTurn([ours('run', 'lines.yml')], 1, folder).map((figure) => ({ ...figure, memory_mb: memory }));
  return [...rows, { work: 'Memory of a run with 10^6 lines of output', figures: lines, bound: '< 150 MB', held: memory < 150 }];
}

function row(work: string, figures: Row['figures'], bound: string, ratio: number, plan?: string): Row {
  return { work, figures, bound, held: (figures[0]?.seconds ?? 0) <= ratio * (figures[1]?.seconds ?? 0), ...(plan === undefined ? {} : { plan }) };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `t${i}`);
}

/** A recipe of tasks; `chained`: three in four need the one before. */
function tasks(count: number, body: string, chained = true): string {
  const list = names(count).map((name, i) => `  ${name}: {${chained ? `needs: [${i % 4 === 0 ? '' : `t${i - 1}`}], ` : ''}${body}}`);
  return `version: 1\nname: bench\ntasks:\n${list.join('\n')}\n`;
}
