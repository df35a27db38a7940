import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { median, phasesIn, program, type Row, secondsIn } from './measure.js';

/** Replaces mmdebstrap: runs the real one the first time, then copies its result. Its time is not counted. */
const stand_in = `#!/bin/sh
set -eu
for word; do case $word in -*) ;; *) [ -z "\${suite:-}" ] && suite=$word || { target=$word; break; } ;; esac; done
cache=$(dirname "$0")/../$(printf '%s ' "$@" | sed "s:$target::g" | md5sum | cut -c1-12).tar
if [ ! -e "$cache" ]; then
  PATH=\${PATH#*:} mmdebstrap "$@"
  tar --xattrs --numeric-owner --one-file-system -C "$target" -cf "$cache.new" . && mv "$cache.new" "$cache"
else
  tar --xattrs --numeric-owner -C "$target" -xf "$cache"
fi
`;

/** recipes/base.yml and the script: the time of each without mmdebstrap and grub-install. */
export function base(folder: string, rounds: number): Row[] {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin/mmdebstrap'), stand_in, { mode: 0o755 });
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, CHROOTFILE_STATE: join(folder, 'state') };
  const script: number[] = [];
  const recipe: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const work = join(folder, 'script');
    mkdirSync(work);
    const phases = phasesIn(execFileSync(join(import.meta.dirname, 'base.sh'), [work], { encoding: 'utf8', env }));
    rmSync(work, { recursive: true });
    const started = performance.now();
    const events = execFileSync(program, ['run', resolve(import.meta.dirname, '../recipes/base.yml'), '--format', 'json'], {
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
