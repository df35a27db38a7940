import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type SuiteOptions, startInSuite } from './namespaces.js';
import { repository } from './program.js';
import { closingLine, counts } from './suite.js';

export interface RunOptions extends Pick<SuiteOptions, 'signal' | 'cleanUp'> {
  /** Only tests with this text in `suite: name`. */
  readonly test: string | undefined;
  /** How many files run at once. */
  readonly jobs: number;
}

/**
 * Runs files of tests, each in a process with namespaces of its own, those first that took longest the last time.
 * Prints the output of a file when it has ended, and at the end the closing line.
 * @returns whether a test failed, a file died, or nothing ran.
 */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<boolean> {
  const times = readTimes();
  const queue = files.map((file) => relative(repository, file)).sort((a, b) => expectedMs(b, times) - expectedMs(a, times));
  const failed: string[] = [];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined && !options.signal.aborted; file = queue.shift()) {
      const started = performance.now();
      if (!(await runFile(file, files.length === 1, options))) failed.push(file);
      else if (options.test === undefined) times[file] = Math.round(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  if (options.signal.aborted) return true;
  writeTimes(times);
  for (const file of failed) console.log(`failed: ${file}`);
  console.log(closingLine(counts));
  const none = counts.passed === 0;
  if (none) console.log('no test passed');
  return none || failed.length > 0;
}

/** Runs one file and adds up its counts; false where a test of it failed, or the file did not come to its end. */
async function runFile(file: string, isAlone: boolean, { test, signal, cleanUp }: RunOptions): Promise<boolean> {
  let text = '';
  let printed = 0;
  const print = (chunk: Buffer) => {
    text += chunk;
    // Who waits for one file sees it at once, but for the last line: that may be the closing one.
    if (isAlone) printed += show(text.slice(printed, text.lastIndexOf('\n', text.length - 2) + 1));
  };
  const code = await startInSuite([join(repository, file), ...(test === undefined ? [] : ['-t', test])], { print, signal, cleanUp });
  if (signal.aborted) return false;
  const [closing = '', ...of] = /(?<=^|\n)(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(text) ?? [];
  const [passed = 0, failures = 0, skipped = 0] = of.map(Number);
  const why =
    closing === '' || (code !== 0 && failures === 0)
      ? `died: ${code === undefined ? 'it was killed' : `exit code ${code}`}`
      : passed + failures + skipped === 0 && test === undefined
        ? 'has no test'
        : undefined;
  counts.passed += passed;
  counts.failed += failures + (why === undefined ? 0 : 1);
  counts.skipped += skipped;
  const rest = text.slice(printed, text.length - closing.length).trimEnd();
  console.log(isAlone ? rest : `=== ${file}\n${rest}`);
  if (why !== undefined) console.log(`   FAIL  ${file} ${why}`);
  return failures === 0 && why === undefined;
}

function show(text: string): number {
  process.stdout.write(text);
  return text.length;
}

/** How long each file took the last time, in milliseconds. */
type Times = Record<string, number>;

const timesFile = join(repository, 'node_modules/.cache/chrootfile/test-times.json');

/** A file that has not run yet takes about as many milliseconds as it has bytes. */
function expectedMs(file: string, times: Times): number {
  return times[file] ?? statSync(join(repository, file)).size;
}

function readTimes(): Times {
  try {
    return JSON.parse(readFileSync(timesFile, 'utf8')) as Times;
  } catch {
    // The first time, or another run is just writing it: only the order is worse.
    return {};
  }
}

function writeTimes(times: Times): void {
  mkdirSync(dirname(timesFile), { recursive: true });
  writeFileSync(timesFile, JSON.stringify(times));
}
