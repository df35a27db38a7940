import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { cleanHost, type Host, leftOnHost, lookAtHost } from './host.js';
import { type Ended, lastEvent, Place, tail } from './place.js';
import type { Bench } from './pool.js';
import { type Driven, type Scenario, scenarioNamed } from './scenarios.js';
import { applies, callOf, type Fault, type Point, pointsOf, shimmed } from './shim.js';
import { faultsOfState, held, pathsOf, plain, type Standard, succeededRuns } from './state.js';

/** A fault at a point of a scenario. */
export interface PointCase {
  readonly part: 'points';
  readonly scenario: string;
  readonly point: Point;
  readonly fault: Fault;
  readonly standard: Standard;
}

/** What became of a case. `killed`: the program was, and `undo --all` had to finish it. */
export type Result = 'succeeded' | 'rolled back' | 'left for undo' | 'killed';

/** One case that was tried. */
export interface Outcome {
  readonly part: string;
  readonly title: string;
  readonly fault: string;
  readonly result: Result;
  readonly wrong: readonly string[];
  readonly hung: boolean;
  /** The command that tries it again. */
  readonly again: string;
  readonly seconds: number;
}

/** What a scenario is without faults: its points, and what it must leave. */
export interface Counted {
  readonly points: readonly Point[];
  readonly standard: Standard;
}

/** Exit codes of `run` that are documented. */
const documented = [0, 1, 2, 3, 4, 5, 6];
const signals: Readonly<Record<string, number>> = { TERM: 143, INT: 130, HUP: 129 };

/** Prepares the state a scenario starts from, runs it once, and counts its points. */
export async function count(bench: Bench, name: string): Promise<Counted> {
  const scenario = scenarioNamed(name);
  const prepared = placeOf(bench, preparedFolder(bench, name));
  mkdirSync(prepared.folder, { recursive: true });
  await scenario.prepare(prepared);
  const host = lookAtHost();
  const place = freshPlace(bench, name);
  const before = held(place);
  const runsBefore = [...succeededRuns(place)];
  const ended = await drive(scenario, place);
  if (ended.code !== 0) throw new Error(`exit code ${ended.code ?? ended.signal}\n${tail(ended)}`);
  const points = pointsOf(place.folder).map((point) => ({ ...point, path: point.path.replace(`${place.folder}/`, '') }));
  const made = held(place)
    .filter((one) => !before.includes(one))
    .map(plain);
  const { marker, deletes = false } = scenario;
  const standard = { allowed: [...new Set(pathsOf(place))].sort(), before, runsBefore, made, marker, mayDelete: deletes };
  const wrong = [...((await scenario.finish?.(place)) ?? []), ...faultsOfState(place, standard), ...(await leftOnHost(host, place.folder))];
  if (wrong.length > 0) throw new Error(`${wrong.join('; ')}`);
  await tidy(host, place);
  return { points, standard };
}

/** Tries one fault at one point. */
export async function tryPoint(bench: Bench, { scenario: name, point, fault, standard }: PointCase): Promise<Outcome> {
  const scenario = scenarioNamed(name);
  const started = Date.now();
  const host = lookAtHost();
  const place = freshPlace(bench, name);
  const ended = await drive(scenario, place, { at: point.number, fault });
  const hit = pointsOf(place.folder).find(({ number }) => number === point.number);
  const problems = [...(ended.wrong ?? []), ...faultsOfEnd(place, scenario, ended, hit !== undefined && applies(fault, hit) ? fault : undefined)];
  const undone = await place.run(['undo', '--all']);
  if (undone.hung) problems.push('undo --all does not end');
  else if (undone.code !== 0) problems.push(`undo --all: exit code ${undone.code ?? undone.signal}: ${tail(undone).replaceAll('\n', ' | ')}`);
  problems.push(...((await scenario.finish?.(place)) ?? []), ...faultsOfState(place, standard), ...(await leftOnHost(host, place.folder)));
  await tidy(host, place);
  return {
    part: name,
    title: `${name} call#${point.number} (${callOf(hit ?? point, place.folder)}) ${fault}`,
    fault,
    result: resultOf(ended),
    wrong: worstFirst(problems),
    hung: ended.hung || undone.hung,
    again: `npm run test:faults -- --recipe ${name} --points ${point.number} --faults ${fault}`,
    seconds: (Date.now() - started) / 1000,
  };
}

/** Each problem once. Paths that were left say the least. */
export function worstFirst(problems: readonly string[]): string[] {
  const isPath = (line: string) => line.startsWith('left: state/');
  const all = [...new Set(problems)];
  return [...all.filter((line) => !isPath(line)), ...all.filter(isPath)];
}

/** What is wrong with how the program ended. @param fault undefined where its call was never made. */
function faultsOfEnd(place: Place, scenario: Scenario, ended: Ended, fault: Fault | undefined): string[] {
  if (ended.hung) return ['it does not end'];
  const wrong: string[] = [];
  const isKill = fault === 'KILL' || fault === 'LATE';
  const code = fault === undefined ? undefined : signals[fault];
  // Before its handlers are there, a signal ends the program, and there is nothing to undo yet.
  const fine =
    isKill || ended.signal === `SIG${fault}`
      ? ended.signal !== null
      : ended.code !== null && (code === undefined ? documented : [0, 5, code]).includes(ended.code);
  if (!fine) wrong.push(`exit code ${ended.code ?? ended.signal}: ${tail(ended).replaceAll('\n', ' | ')}`);
  const trace = /^\s+at .*:\d+:\d+\)?$/m.exec(ended.stderr)?.[0];
  if (trace !== undefined) wrong.push(`it prints a stack trace: ${ended.stderr.trim().split('\n').slice(0, 6).join(' | ')}`);
  if (scenario.makes === true) wrong.push(...faultsOfReport(place, ended));
  return wrong;
}

/** Whether the exit code, the last event and the journal of a run agree. */
function faultsOfReport(place: Place, ended: Ended): string[] {
  const { type, ok, run } = lastEvent(ended);
  const reported = ended.code === 0 && type === 'run.finished' && ok === true;
  if (ended.code === 0 && !reported) return ['exit code 0 without run.finished'];
  const own = run ?? '';
  const recorded = succeededRuns(place).has(own);
  if (reported && !recorded) return ['exit code 0, and the journal does not say that the run succeeded'];
  return ended.code !== null && ![0, 6].includes(ended.code) && own !== '' && recorded
    ? [`exit code ${ended.code}, and the journal says that the run succeeded`]
    : [];
}

function resultOf({ code, signal, hung }: Ended): Result {
  if (signal !== null || hung) return 'killed';
  return code === 0 ? 'succeeded' : code === 5 ? 'left for undo' : 'rolled back';
}

async function drive(scenario: Scenario, place: Place, fault?: { readonly at: number; readonly fault: Fault }): Promise<Driven> {
  const args = await scenario.begin(place);
  const env = shimmed(place.tools, place.folder, fault);
  return (await scenario.drive?.(place, args, env)) ?? place.run(args, env);
}

/** The folder of a case, with a copy of what was prepared for its scenario. */
export function freshPlace(bench: Bench, name: string): Place {
  rmSync(bench.folder, { recursive: true, force: true });
  execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', preparedFolder(bench, name), bench.folder]);
  return placeOf(bench, bench.folder);
}

/** Ends what a case has left, and removes its folder. */
export async function tidy(host: Host, place: Place): Promise<void> {
  await cleanHost(host, place.folder);
  if (existsSync(place.folder)) rmSync(place.folder, { recursive: true, force: true });
}

export function placeOf({ program, tools }: Bench, folder: string): Place {
  return new Place(folder, program, tools);
}

export function preparedFolder({ prepared }: Bench, name: string): string {
  return `${prepared}/${name}`;
}
