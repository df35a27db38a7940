import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoveredFile, Lines } from './covered_lines.js';

// npm run coverage [-- FILE... -t NAME]: runs the tests, and says which share of the lines of src/ ran in them, by folder:
// in the processes of the tests and in the program, from its bundle and the map beside it.

/** The smallest share of lines of each folder of src/, in percent. The rest of what the commands do is tried on terminals. */
const wanted = (folder: string) => (folder === 'cli' ? 75 : 85);

const folder = mkdtempSync(join(tmpdir(), 'chrootfile-coverage-'));
// Some tests become another user.
chmodSync(folder, 0o1777);
const lines = new Lines(process.cwd());
try {
  const tests = spawn(process.execPath, [...process.execArgv, 'test/run.ts', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, NODE_V8_COVERAGE: folder },
  });
  const ended = new Promise<number>((done) => tests.on('close', (code) => done(code ?? 1)));
  let code: number | undefined;
  void ended.then((value) => {
    code = value;
  });
  // While they run: each process leaves about a megabyte.
  while (code === undefined) {
    await Promise.race([ended, sleep(2000)]);
    readOlderThan(2000);
  }
  readOlderThan(0);
  process.exitCode = report() ? code : 1;
} finally {
  rmSync(folder, { recursive: true });
}

/** Reads what processes left, and removes it; it may still be written when it is new. */
function readOlderThan(ms: number): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (Date.now() - statSync(file).mtimeMs < ms) continue;
    lines.add(readFileSync(file, 'utf8'));
    rmSync(file);
  }
}

/** Prints the shares, and the lines that did not run of files that have too few; false where a folder has. */
function report(): boolean {
  const folderOf = ({ file }: CoveredFile) => file.split('/')[1] ?? '';
  const found = lines.files();
  let isEnough = true;
  for (const name of new Set(found.map(folderOf))) {
    const files = found.filter((file) => folderOf(file) === name);
    const all = { ran: sum(files.map(({ ran }) => ran)), total: sum(files.map(({ total }) => total)) };
    if (shareOf(all) < wanted(name)) isEnough = false;
    console.log(`src/${name}: ${shareOf(all).toFixed(1)} % of ${all.total} lines${shareOf(all) < wanted(name) ? `, ${wanted(name)} % are wanted` : ''}`);
    for (const file of files.filter((each) => shareOf(each) < wanted(name))) {
      console.log(`  ${file.file}: ${shareOf(file).toFixed(1)} %, not lines ${rangesOf(file.left)}`);
    }
  }
  return isEnough;
}

function shareOf({ ran, total }: { readonly ran: number; readonly total: number }): number {
  return (100 * ran) / total;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

/** Numbers of lines in short, such as `1-3, 7`. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
