import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { median, phasesIn, program, type Row, secondsIn } from './measure.js';
import { mmdebstrapOnce } from './mmdebstrap_once.js';

/** recipes/base.yml and the script: the time of each without mmdebstrap and grub-install. */
export function base(folder: string, rounds: number): Row[] {
  const env = { ...process.env, PATH: mmdebstrapOnce(folder), CHROOTFILE_STATE: join(folder, 'state') };
  const script: number[] = [];
  const recipe: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const work = join(folder, 'script');
    mkdirSync(work);
    const phases = phasesIn(execFileSync(join(import.meta.dirname, 'base.sh'), [work], { encoding: 'utf8', env }));
    rmSync(work, { recursive: true });
    const started = performance.now();
    const events = execFileSync(program, ['run', resolve(import.meta.dirname, '../recipes/base.yml'), '--no-cache', '--format', 'json'], {
      encoding: 'utf8',
      maxBuffer: 1e9,
      env,
    });
    const whole = (performance.now() - started) / 1000;
    const ended = secondsIn(events);
    execFileSync(program, ['local', 'reset', '--yes'], { env });
    if (round === 0) continue;
    script.push([...phases].filter(([name]) => name !== 'bootstrap' && name !== 'grub').reduce((sum, [, seconds]) => sum + seconds, 0));
    recipe.push(whole - (ended.get('bootstrap') ?? 0) - (ended.get('grub') ?? 0));
  }
  const figure = (who: string, seconds: readonly number[]) => ({
    who,
    runs: seconds.length,
    seconds: median(seconds),
    least: Math.min(...seconds),
    most: Math.max(...seconds),
  });
  const figures = [figure('chrootfile', recipe), figure('bench/base.sh', script)];
  const more = median(recipe) - median(script);
  return [{ work: '`recipes/base.yml` without mmdebstrap and grub-install', figures, bound: '≤ script + 1.5 s', held: more <= 1.5 }];
}
