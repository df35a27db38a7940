import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../support/program.js';
import type { Outcome } from './cases.js';

/** A change of the source that makes the program worse in one way, and the part of the harness that must show it. */
interface Mutation {
  readonly name: string;
  readonly file: string;
  /** Texts that occur once in the file, and what stands there instead. */
  readonly changes: readonly (readonly [find: string, replace: string])[];
  /** Arguments of the harness for the smallest part that shows it. */
  readonly shownBy: readonly string[];
}

const note = `  const note = writer.note(made);
  try {
    const known = { ...made, id: await ask() };
    note.update(known);`;

/** Notes what one task makes only once it is made. */
const notedAfter = (task: string, match: string): Mutation => ({
  name: `${task}-noted-after-its-effect`,
  file: 'src/aws/journaled_create.ts',
  changes: [
    [
      note,
      `  const early = made.task === '${task}' ? await ask() : undefined;
  const note = writer.note(made);
  try {
    const known = { ...made, id: early ?? (await ask()) };
    note.update(known);`,
    ],
  ],
  shownBy: ['--recipe', 'tiny', '--faults', 'KILL', '--match', match],
});

/** The table: edit it when the source changes; a text that is not found once makes the mutation fail as out of date. */
export const mutations: readonly Mutation[] = [
  {
    name: 'journal-without-fsync',
    file: 'src/runtime/runs/journal.ts',
    changes: [['      fdatasyncSync(this.fd);\n', '      void fdatasyncSync;\n']],
    shownBy: ['--recipe', 'power'],
  },
  {
    name: 'record-without-fsync',
    file: 'src/linux/atomic_write.ts',
    changes: [['      if (sync) fsyncSync(fd);\n', '      void sync;\n']],
    shownBy: ['--recipe', 'power'],
  },
  {
    name: 'disk-without-fsync',
    file: 'src/local/loop_devices.ts',
    changes: [['giB) truncateSync(to, sizeGiB * giB);\n  await syncFile(to);', 'giB) truncateSync(to, sizeGiB * giB);']],
    shownBy: ['--recipe', 'power'],
  },
  notedAfter('volume', 'disks/vol|(rename|open).*volumes|write.*journal'),
  notedAfter('snapshot', '(rename|open).*snapshots|write.*journal'),
  notedAfter('image', 'images|write.*journal'),
  {
    name: 'mount-noted-after-its-effect',
    file: 'src/tasks/mount/mount.ts',
    changes: [
      [
        '    makeNotedFolder(path, (made) => context.note({ path, made, before: mountsUnder(path).length } satisfies Note));\n',
        '    let late: Note | undefined;\n    makeNotedFolder(path, (made) => {\n      late = { path, made, before: mountsUnder(path).length };\n    });\n',
      ],
      ['    return { path, device };', '    if (late !== undefined) context.note(late);\n    return { path, device };'],
    ],
    shownBy: ['--recipe', 'host', '--faults', 'KILL,EIO,ENOSPC', '--match', 'journal'],
  },
  {
    name: 'undo-oldest-first',
    file: 'src/runtime/runs/undo.ts',
    changes: [['for (const note of [...notes].reverse()) {', 'for (const note of [...notes]) {']],
    shownBy: ['--recipe', 'undo', '--faults', 'KILL', '--points', '1-3'],
  },
  {
    name: 'gate-skipped',
    file: 'src/runtime/runs/undo.ts',
    changes: [
      [
        "journal.open.find((open) => !unused.has(open.id) && (options.gates === 'all' ? open.on : open.standsOn).includes(note.id))",
        'journal.open.find(() => false && options.gates)',
      ],
    ],
    shownBy: ['--recipe', 'ec2', '--match', 'backward DetachVolume denied$'],
  },
  {
    name: 'tag-left-out',
    file: 'src/aws/ownership_tags.ts',
    changes: [['[taskTag]: shortName(task), [hostTag]', '[`${taskTag}s`]: shortName(task), [hostTag]']],
    shownBy: ['--recipe', 'tiny', '--faults', 'KILL', '--match', 'disks/vol|write.*journal'],
  },
  {
    name: 'failed-unmount-ignored',
    file: 'src/tasks/mount/mount.ts',
    changes: [
      ['    if (!mountsGone) await unmountTree(path, shell, before);\n', '    if (!mountsGone) await unmountTree(path, shell, before).catch(() => {});\n'],
      ['    removeNotedFolder(path,', '    if (mountsGone) removeNotedFolder(path,'],
    ],
    shownBy: ['--recipe', 'host', '--faults', 'EIO', '--match', 'fork'],
  },
  {
    name: 'torn-line-joined',
    file: 'src/runtime/runs/journal.ts',
    changes: [['      ftruncateSync(this.fd, this.size);\n', '']],
    shownBy: ['--recipe', 'tiny', '--faults', 'SHORT', '--match', 'write.*journal'],
  },
  {
    name: 'half-made-volume-kept',
    file: 'src/local/api/copying.ts',
    changes: [['    await here.store.exclusive(() => removeBegun(here, begun)).catch(() => {});\n', '    void removeBegun;\n']],
    shownBy: ['--recipe', 'serve', '--faults', 'ENOSPC', '--match', 'disks/vol'],
  },
  {
    name: 'request-sent-twice',
    file: 'src/aws/create_once.ts',
    changes: [['        if (found !== undefined) return found;\n', '        void found;\n']],
    shownBy: ['--recipe', 'ec2', '--match', 'forward CreateSnapshot lost-after$'],
  },
];

/** Tries one mutation, or all: the harness must fail for each. @param program the build without mutations. */
export function mutate(name: string, program: string): number {
  const wanted = mutations.filter((mutation) => name === 'all' || mutation.name === name);
  if (wanted.length === 0) throw new Error(`--mutate ${name}: unknown; there are all, ${mutations.map((mutation) => mutation.name).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-mutations-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  let unseen = 0;
  for (const mutation of wanted) {
    const verdict = verdictOf(mutation, program, folder);
    if (!verdict.startsWith('shown')) unseen += 1;
    console.log(`${mutation.name}: ${verdict}`);
  }
  console.log(`${wanted.length - unseen} passed, ${unseen} failed`);
  return unseen === 0 ? 0 : 1;
}

function verdictOf(mutation: Mutation, program: string, folder: string): string {
  const text = readFileSync(join(repository, mutation.file), 'utf8');
  if (mutation.changes.some(([find]) => text.split(find).length !== 2)) return `out of date: a text does not occur once in ${mutation.file}`;
  const tree = join(folder, mutation.name);
  copyTree(tree);
  writeFileSync(
    join(tree, mutation.file),
    mutation.changes.reduce((changed, [find, replace]) => changed.replace(find, () => replace), text),
  );
  const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: tree, encoding: 'utf8' });
  if (built.status !== 0) return `cannot be built: ${built.stderr.trim().split('\n')[0]}`;
  const after = failuresOf(mutation, join(tree, 'bin/chrootfile'), join(folder, 'after.json'));
  const before = after.size === 0 ? after : failuresOf(mutation, program, join(folder, 'before.json'));
  rmSync(tree, { recursive: true, force: true });
  const more = [...after].filter((line) => !before.has(line));
  return more.length > 0 ? `shown: ${more[0]}` : 'not shown by any failure';
}

/** The failures of the part that shows a mutation, without numbers, so that those of two builds can be compared. */
function failuresOf({ shownBy }: Mutation, program: string, file: string): Set<string> {
  const main = [process.execPath, '--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'main.ts')];
  const [node = '', ...args] = [...main, '--program', program, '--seed', '1', '--json', file, ...shownBy];
  rmSync(file, { force: true });
  const { stderr } = spawnSync(node, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (!existsSync(file)) throw new Error(`the harness itself failed: ${stderr}`);
  const outcomes = JSON.parse(readFileSync(file, 'utf8')) as Outcome[];
  return new Set(outcomes.flatMap(({ title, wrong }) => wrong.map((line) => plain(`${title}: ${line}`))));
}

function plain(line: string): string {
  return line
    .replace(/call#\d+ |case-\d+\/|\d+ ms after its start /g, '')
    .replace(/[0-9a-f]{17}/g, 'ID')
    .replace(/\d+/g, 'N')
    .slice(0, 200);
}

/** The files of the repository as they are now; what npm has installed is shared. */
function copyTree(tree: string): void {
  mkdirSync(tree, { recursive: true });
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: repository, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(repository, file)));
  execFileSync('cp', ['-a', '--parents', '-t', tree, '--', ...files], { cwd: repository });
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'));
}
