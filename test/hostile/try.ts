import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cleanHost, leftOnHost, lookAtHost } from '../faults/host.js';
import { type Ended, Place, tail } from '../faults/place.js';
import type { Bench } from '../faults/pool.js';
import { held } from '../faults/state.js';
import type { Case, Outcome } from './case.js';
import { canary, changes, lookAtGuarded, restoreGuarded } from './guard.js';
import { faultsOfImage } from './image.js';
import { makeImage, placeIn, uploaded } from './prepare.js';

/** Runs the build of one case, and looks at how it ended and what it left. */
export async function tryCase(bench: Bench, one: Case): Promise<Outcome> {
  const started = Date.now();
  const host = lookAtHost();
  const place = await begin(bench, one);
  const before = { guarded: lookAtGuarded(), held: held(place) };
  const ended = await (one.terminal ? onTerminal(place) : place.run(['run', 'recipe.yml', '--format', 'json']));
  const report = reportOf(ended);
  const wrong = [...faultsOfEnd(place, one, ended, report), ...(await leftOnHost(host, place.folder))];
  const undone = await place.run(['undo', '--all']);
  if (undone.hung) wrong.push('undo --all does not end');
  else if (undone.code !== 0 || (!ended.hung && ended.code !== 5 && undone.stdout !== 'nothing to undo\n'))
    wrong.push(`undo --all: ${undone.code}: ${short(tail(undone))}`);
  const made = held(place).filter((id) => !before.held.includes(id));
  const expected = ended.code === 0 ? ['images', 'snapshots'] : [];
  const kinds = made.map((id) => id.split('/')[1] ?? '').sort();
  if (kinds.join() !== expected.join()) wrong.push(`the state has new ${kinds.join(', ') || 'nothing'} instead of ${expected.join(', ') || 'nothing'}`);
  else if (ended.code === 0) wrong.push(...faultsOfImage(place, one, made));
  // The rest of the host can still be worked with.
  const usable = await place.run(['local', 'images']);
  if (usable.code !== 0) wrong.push(`local images: ${usable.code}: ${short(tail(usable))}`);
  const changed = changes(before.guarded, lookAtGuarded());
  if (changed.length > 0) restoreGuarded();
  await cleanHost(host, place.folder);
  rmSync(place.folder, { recursive: true, force: true });
  return {
    part: one.part,
    sort: one.sort,
    name: one.name,
    result: ended.code === 0 ? 'succeeded' : 'failed',
    wrong: [...new Set([...wrong, ...changed])],
    hung: ended.hung || undone.hung,
    said: report.errors.join('; ') || tail(ended),
    seconds: (Date.now() - started) / 1000,
  };
}

/** Makes the folder of a case, with the image it starts from and its recipe. */
async function begin(bench: Bench, one: Case): Promise<Place> {
  rmSync(bench.folder, { recursive: true, force: true });
  if (one.part !== 'images') execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', join(bench.prepared, one.part), bench.folder]);
  const place = placeIn(bench, bench.folder, one.limit);
  if (one.part === 'images') await makeImage(place, bench, one);
  place.write('file.txt', uploaded);
  place.write('recipe.yml', recipeOf(place, one));
  return place;
}

/** A small build, as people write them: by the library for images, with a script, an upload and a download. */
function recipeOf(
  { libraries }: Place,
  { part, act = 'echo built > /built', keys, after = 'echo after >> /after', with: inputs, cleanup = false }: Case,
): string {
  const settings = [`source_filters: {name: ${part === 'rpm' ? 'rpm' : 'source'}}`, 'name: "next-{{ run.id }}"', ...(inputs === undefined ? [] : [inputs])];
  const own = part === 'images' || part === 'acts';
  return `version: 1
name: hostile
includes:
  ami: {recipe: "${libraries}/image_from_image.yml", with: {${settings.join(', ')}}}
${cleanup ? `  cleanup: {recipe: "${libraries}/cleanup.yml", with: {chroot: "{{ ami.chroot.path }}"}}` : ''}
tasks:
  work:
    in: ami.chroot
    template: false
    env: {CANARY: ${canary}, TOOLS: /bin/hostile, DEBIAN_FRONTEND: noninteractive}
    run: ${JSON.stringify(act)}
${cleanup ? '    before: [cleanup.all]' : keys === undefined ? '' : `    ${keys}`}
  after: {in: ami.chroot, needs: [${cleanup ? 'cleanup.all' : 'work'}], template: false, run: ${JSON.stringify(after)}}
  up: {uses: chroot.upload, in: ami.chroot, needs: [after], with: {from: file.txt, to: /opt/file.txt, owner: "${own ? 'web:web' : 'www-data:www-data'}"}}
  down: {uses: chroot.download, in: ami.chroot, needs: [up], with: {from: /opt/file.txt, to: results/}}
outputs: {image_id: "{{ ami.image_id }}"}
`;
}

/** Runs it as somebody at a terminal does. */
function onTerminal({ folder, program, tools }: Place): Promise<Ended> {
  return new Place(folder, 'script', tools).run(['--quiet', '--return', '--flush', '--command', `${program} run recipe.yml`, '/dev/null'], { TERM: 'xterm' });
}

/** What a run has reported. */
interface Report {
  readonly run: string;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** What could not be undone. */
  readonly left: readonly string[];
}

function reportOf({ stdout }: Ended): Report {
  const events = stdout.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Readonly<Record<string, unknown>>];
    } catch {
      return [];
    }
  });
  const texts = (type: string, key: string) => events.filter((event) => event['type'] === type && event[key] !== undefined).map((event) => String(event[key]));
  const left = events.flatMap((event) => (Array.isArray(event['left']) ? event['left'].map((one) => JSON.stringify(one)) : []));
  return { run: texts('run.finished', 'run')[0] ?? '', errors: texts('task.finished', 'error'), warnings: texts('warning', 'message'), left };
}

function faultsOfEnd({ folder, state }: Place, { ends, log, warns, terminal }: Case, ended: Ended, { run, errors, warnings, left }: Report): string[] {
  if (ended.hung) return ['it does not end'];
  const all = `${ended.stdout}${ended.stderr}`;
  const wrong: string[] = [];
  const error = terminal ? all : errors.join('; ');
  // Titles, the clipboard, the bell: a script has no part in the terminal. The program itself moves the cursor only.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
  if (/\u001b\]|\u0007|\u001b\[2J/.test(all)) wrong.push('escapes reach the terminal');
  if (ended.code !== 0 && ended.code !== 1) wrong.push(`exit code ${ended.code ?? ended.signal}: ${short(left.join('; ') || tail(ended))}`);
  const trace = /(^|\\n|\n)\s+at .{1,200}:\d+:\d+\)?/.exec(all)?.[0] ?? /internal error.{0,80}|TypeError.{0,80}|ERR_[A-Z_]+/.exec(all)?.[0];
  if (trace !== undefined) wrong.push(`it prints ${trace.trim()}`);
  if (ended.code === 1 && error.trim() === '') wrong.push(`it fails without a message: ${short(tail(ended))}`);
  if (ends === 'well' && ended.code === 1) wrong.push(`it fails: ${short(error)}`);
  if (ends instanceof RegExp && ended.code === 0) wrong.push('it succeeds');
  if (ends instanceof RegExp && ended.code === 1 && !ends.test(error)) wrong.push(`the message is: ${short(error)}`);
  if (warns !== undefined && !warnings.some((line) => warns.test(line))) wrong.push(`no warning has ${warns}: ${short(warnings.join('; '))}`);
  const kept = join(state, 'runs', run, 'logs/work.log');
  const text = existsSync(kept) ? readFileSync(kept, 'latin1') : '';
  if (log !== undefined && !log.test(text)) wrong.push(`the log has no ${log}: ${short(text)}`);
  const brought = join(folder, 'results/file.txt');
  if (ended.code === 0 && (!existsSync(brought) || readFileSync(brought, 'utf8') !== uploaded)) wrong.push('what was downloaded is not what was uploaded');
  return wrong;
}

/** Text for one line of the report. */
export function short(text: string): string {
  const line = text.replaceAll('\n', ' | ');
  return line.length > 400 ? `${line.slice(0, 100)} … ${line.slice(-300)}` : line;
}
