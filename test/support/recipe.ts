import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, run } from './program.js';

/** What a run of a recipe text gave. */
export interface RunResult {
  readonly code: number | null;
  readonly outputs: Record<string, unknown>;
  /** Outcome of each node, e.g. `a succeeded`, in the order they ended. */
  readonly nodes: string[];
  /** What was undone, in order. */
  readonly undone: string[];
  readonly errors: Record<string, string>;
  readonly left: { task: string; error: string; by_hand: string[] }[];
  readonly warnings: string[];
  readonly events: Record<string, unknown>[];
  readonly ended: Ended;
  /** The output of a task, from its log. */
  log(task: string): string;
}

/** Writes a recipe into a folder and runs it with `--format json`. */
export async function runRecipe(folder: string, text: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const file = join(folder, 'r.yml');
  writeFileSync(file, `version: 1\nname: r\n${text}`);
  const ended = await run(['run', file, '--format', 'json', ...args], { folder, env });
  const events = ended.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const last = events.findLast((event) => event['type'] === 'run.finished');
  if (last === undefined) throw new Error(`the run did not finish: ${ended.code}\n${ended.stdout}${ended.stderr}`);
  const of = (type: string) => events.filter((event) => event['type'] === type);
  const id = String(last['run']);
  return {
    code: ended.code,
    outputs: last['outputs'] as Record<string, unknown>,
    nodes: of('task.finished').map((event) => `${event['task']} ${event['outcome']}`),
    undone: of('undo.entry').map((event) => `${event['task']}${event['ok'] ? '' : ' failed'}`),
    errors: Object.fromEntries(
      of('task.finished')
        .filter((event) => event['error'] !== undefined)
        .map((event) => [event['task'], String(event['error'])]),
    ),
    left: last['left'] as RunResult['left'],
    warnings: of('warning').map((event) => String(event['message'])),
    events,
    ended,
    log: (task) => readFileSync(join(folder, 'state/runs', id, 'logs', `${task}.log`), 'utf8'),
  };
}
