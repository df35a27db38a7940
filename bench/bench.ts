import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { median, phasesIn, secondsIn } from './measure.js';
import { type Comparison, compareWeb, printComparison } from './web.js';

/**
 * Times chrootfile beside bare commands, both in turn in one run, so that ratios hold when the machine's speed drifts.
 *   npm run bench             everything that takes seconds
 *   npm run bench -- base     recipes/base.yml beside a hand-written script too: some minutes
 *   npm run bench -- web      recipes/web.yml beside another, on two file systems: some minutes
 *   npm run bench -- --json   for programs
 */
const program = resolve(import.meta.dirname, '../bin/chrootfile');
const folder = mkdtempSync(join(tmpdir(), 'chrootfile-bench-'));
const rounds = 7;

interface Row {
  readonly work: string;
  readonly ours: number;
  readonly theirs: number;
  readonly against: string;
  readonly bound: string;
}

const rows: Row[] = [];
try {
  rows.push(compare('check of a 30-task recipe', ours('check', tasks(30, 'run: "echo {{ run.id }}"')), ['node', '-e', '0'], '≤ 3 × node -e 0'));
  rows.push(compare('1,000 tasks with only needs', ours('run', tasks(1000, 'if: true'), '-q'), ['node', '-e', '0'], '≤ 3 × node -e 0'));
  rows.push(compare('check of 1,000 tasks by a matrix of 10 × 100', ours('check', matrix(10, 100)), ['node', '-e', '0'], '< 0.5 s'));
  if (has('make')) {
    writeFileSync(
      join(folder, 'Makefile'),
      `all: ${names(1000).join(' ')}\n${names(1000)
        .map((name) => `${name}:\n\t@true; true\n`)
        .join('')}`,
    );
    rows.push(
      compare(
        '1,000 tasks of `true; true`',
        ours('run', tasks(1000, 'run: "true; true"', false), '-q', '-j', '2'),
        ['make', '-s', '-j2', '-C', folder],
        '≤ 6 × make -j2',
        3,
      ),
    );
  }
  console.error('memory of a run with 10^6 lines of output…');
  const peak = await peakMemory();
  if (process.argv.includes('base')) base();
  report(peak, process.argv.includes('web') ? compareWeb(folder, 5) : []);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Medians of several rounds, A B A B … after one of each that is not counted. */
function compare(work: string, a: readonly string[], b: readonly string[], bound: string, times = rounds): Row {
  console.error(`${work}…`);
  const [first, second]: [number[], number[]] = [[], []];
  for (let i = 0; i <= times; i += 1) {
    const [x, y] = [seconds(a), seconds(b)];
    if (i > 0) {
      first.push(x);
      second.push(y);
    }
  }
  return { work, ours: median(first), theirs: median(second), against: b.slice(0, 3).join(' ').replace(folder, '…'), bound };
}

function seconds([command = '', ...args]: readonly string[]): number {
  const started = performance.now();
  const done = spawnSync(command, args, {
    cwd: folder,
    env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr}`);
  return (performance.now() - started) / 1000;
}

function ours(verb: string, recipe: string, ...args: readonly string[]): string[] {
  const file = join(folder, `${verb}-${rows.length}.yml`);
  writeFileSync(file, recipe);
  return [program, verb, file, ...args];
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `t${i}`);
}

/** A recipe of tasks; `chained`: three in four need the one before. */
function tasks(count: number, body: string, chained = true): string {
  const list = names(count).map((name, i) => `  ${name}: {${chained ? `needs: [${i % 4 === 0 ? '' : `t${i - 1}`}], ` : ''}${body}}`);
  return `version: 1\nname: bench\ntasks:\n${list.join('\n')}\n`;
}

/** A task that a matrix makes many of, another that waits for one of them, and one for all. */
function matrix(a: number, b: number): string {
  const axis = (count: number) => Array.from({ length: count }, (_, i) => i).join(', ');
  return `version: 1
name: bench
tasks:
  build:
    strategy: {matrix: {a: [${axis(a)}], b: [${axis(b)}]}}
    outputs: {id: {}}
    run: echo "id={{ matrix.a }}-{{ matrix.b }}" >> "$CHROOTFILE_OUTPUT"
  use: {strategy: {matrix: {a: [1], b: [2]}}, run: "echo {{ build.id }}"}
  all: {run: "echo {{ json build.id }}"}
`;
}

/** The largest resident set of the main process, in MB. Source: proc(5), VmHWM. */
async function peakMemory(): Promise<number> {
  writeFileSync(join(folder, 'lines.yml'), 'version: 1\nname: lines\ntasks:\n  many: {run: "seq 1000000; sleep 0.3"}\n');
  const child = spawn(program, ['run', 'lines.yml'], { cwd: folder, env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') }, stdio: 'ignore' });
  let peak = 0;
  const watch = setInterval(() => {
    try {
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 20);
  await new Promise((done) => child.on('close', done));
  clearInterval(watch);
  return Math.round(peak / 1024);
}

/** recipes/base.yml beside the script: what each spends besides mmdebstrap and grub-install. */
function base(): void {
  console.error('base.sh…');
  mkdirSync(join(folder, 'script'));
  const script = execFileSync(join(import.meta.dirname, 'base.sh'), [join(folder, 'script')], { encoding: 'utf8' });
  const phases = phasesIn(script);
  console.error('recipes/base.yml…');
  const started = performance.now();
  const events = execFileSync(program, ['run', resolve(import.meta.dirname, '../recipes/base.yml'), '--format', 'json'], {
    encoding: 'utf8',
    maxBuffer: 1e9,
    env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') },
  });
  const whole = (performance.now() - started) / 1000;
  const ended = secondsIn(events);
  const of = (...tasks: string[]) => tasks.reduce((sum, task) => sum + (ended.get(task) ?? 0), 0);
  console.log('phase: script, recipe (seconds)');
  console.log(`  disk: ${phases.get('disk')}, ${of('volume', 'disk', 'parts', 'rootfs', 'root').toFixed(2)}`);
  console.log(`  bootstrap: ${phases.get('bootstrap')}, ${of('bootstrap').toFixed(2)}`);
  console.log(`  grub: ${phases.get('grub')}, ${of('sys', 'grub', 'version').toFixed(2)}`);
  console.log(`  release: ${phases.get('release')}, ${of('sys.released', 'root.released', 'rootfs.released', 'parts.released', 'disk.released').toFixed(2)}`);
  console.log(`  snapshot: ${phases.get('snapshot')}, ${of('snapshot').toFixed(2)}`);
  console.log(`  image, volume: ${phases.get('remove')}, ${Math.max(of('image'), of('volume.released')).toFixed(2)}`);
  const rest = [...phases].filter(([name]) => name !== 'bootstrap' && name !== 'grub').reduce((sum, [, seconds]) => sum + seconds, 0);
  rows.push({
    work: 'base.yml beyond mmdebstrap and grub',
    ours: whole - of('bootstrap', 'grub'),
    theirs: rest,
    against: 'bench/base.sh',
    bound: '≤ script + 1.5 s',
  });
}

function report(peak: number, web: readonly Comparison[]): void {
  if (process.argv.includes('--json'))
    return console.log(JSON.stringify({ date: new Date().toISOString(), node: process.version, rows, web, peak_mb: peak }, undefined, 2));
  for (const { work, ours, theirs, against, bound } of rows) {
    console.log(`${work}: ${ours.toFixed(3)} s, ${against}: ${theirs.toFixed(3)} s, ratio ${(ours / theirs).toFixed(2)}   (bound: ${bound})`);
  }
  for (const comparison of web) printComparison(comparison);
  console.log(`peak memory of a run with 10^6 lines: ${peak} MB   (bound: < 150 MB)`);
}

function has(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}
