import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, inTurn, median, program, type Row } from './measure.js';

/** The cost of the screen compared with plain lines, and the time until it shows Ctrl-C. */
export async function screen(folder: string, rounds: number): Promise<Row[]> {
  const env = { CHROOTFILE_STATE: join(folder, 'state'), TERM: 'xterm-256color', CI: '', GITHUB_ACTIONS: '' };
  writeFileSync(join(folder, 'true.yml'), recipe(1000, 'true; true'));
  const onTerminal = (who: string, words: string): Contender => ({ who, command: () => terminal(`${program} run true.yml -j 2 ${words}`), env });
  const figures = inTurn([onTerminal('chrootfile, screen', ''), onTerminal('chrootfile --format plain', '--format plain')], rounds, folder);
  const [drawn, plain] = figures;
  const ratio = (drawn?.cpu ?? 0) / (plain?.cpu ?? 1);
  const rows: Row[] = [{ work: '1,000 tasks of `true; true` on a terminal', figures, bound: 'CPU ≤ 1.3 × plain lines', held: ratio <= 1.3 }];
  for (const count of [60, 1000]) {
    writeFileSync(join(folder, 'sleep.yml'), recipe(count, 'echo hello; sleep 60'));
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round += 1) seconds.push(await acknowledged(folder, env));
    const figure = { who: 'chrootfile', runs: rounds, seconds: median(seconds), least: Math.min(...seconds), most: Math.max(...seconds) };
    rows.push({ work: `Ctrl-C with ${count} tasks, until it is acknowledged`, figures: [figure], bound: '≤ 0.1 s', held: figure.most <= 0.1 });
  }
  return rows;
}

function recipe(count: number, script: string): string {
  return `version: 1\nname: bench\ntasks:\n${Array.from({ length: count }, (_, i) => `  t${i}: {run: "${script}"}\n`).join('')}`;
}

/** A command on a pseudo-terminal of 80 × 24. Source: script(1). */
function terminal(command: string): string[] {
  return ['script', '--quiet', '--return', '--flush', '--command', `stty cols 80 rows 24; ${command}`, '/dev/null'];
}

/** Seconds from Ctrl-C, typed once tasks run, to the words on the screen. */
async function acknowledged(folder: string, env: Readonly<Record<string, string>>): Promise<number> {
  const [name = '', ...args] = terminal(`${program} run sleep.yml -j 2`);
  const child = spawn(name, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  let typed = 0;
  let seconds = Number.POSITIVE_INFINITY;
  child.stdout.on('data', (chunk) => {
    const text = String(chunk);
    if (typed === 0 && text.includes('hello')) {
      typed = performance.now();
      child.stdin.write('\u0003');
    } else if (seconds === Number.POSITIVE_INFINITY && text.includes('cancelling')) seconds = (performance.now() - typed) / 1000;
  });
  await new Promise((done) => child.on('close', done));
  return seconds;
}
