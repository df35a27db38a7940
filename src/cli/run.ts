import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { makePlan, type Plan } from '../dsl/plan.js';
import type { Cloud } from '../dsl/recipe.js';
import type { EventSink, Left } from '../runtime/events.js';
import { execute } from '../runtime/execute.js';
import { RunFacts } from '../runtime/facts.js';
import { Journal } from '../runtime/journal.js';
import { mounts, removeMountPoint } from '../runtime/mounts.js';
import { PipeMaker } from '../runtime/pipe.js';
import { ownIdentity } from '../runtime/process.js';
import { Redactor } from '../runtime/redact.js';
import { RunRecord, redacting } from '../runtime/report.js';
import { isUnfinished, listRuns, newRunId, RunFolder } from '../runtime/runs.js';
import { hostShell } from '../runtime/shell.js';
import { undoersOf } from '../runtime/undo.js';
import { type RenderedUndo, scriptUndoer } from '../runtime/user_script.js';
import { kinds } from '../tasks/index.js';
import { language } from '../tasks/language.js';
import { ExitError, exits } from './exits.js';
import { inputsOf, type LoadedRecipe, loadRecipe, mustBePlaced } from './load.js';
import { planJson } from './plan.js';
import { openReport, type ReportFormat } from './reports/index.js';
import { type Interruption, watchSignals } from './signals.js';
import { isRoot, stateFolder } from './state.js';
import { mustHave, toolsFor } from './tools.js';
import { openWorld } from './world.js';

export interface RunOptions {
  readonly state?: string;
  readonly input: readonly string[];
  readonly inputs: readonly string[];
  readonly cloud?: 'local' | 'aws';
  readonly jobs?: number;
  readonly keepGoing: boolean;
  readonly force: boolean;
  readonly onFailure: 'undo' | 'keep';
  readonly format: ReportFormat;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly timeout?: number;
  readonly sandbox: boolean;
}

/** `chrootfile run`: plans a recipe and runs it; gives the exit code. */
export async function run(file: string, goals: readonly string[], options: RunOptions): Promise<number> {
  const loaded = loadRecipe(file, options);
  const plan = makePlan(loaded.module, loaded.tasks, goals);
  mustBePlaced(plan);
  const inputs = inputsOf(loaded);
  checkHost(file, plan, options.sandbox);
  const interruption = watchSignals(options.timeout);
  const session = openSession(loaded, plan, inputs, options, interruption.signal);
  try {
    return await session.run(interruption);
  } finally {
    interruption.stop();
  }
}

function checkHost(file: string, plan: Plan, sandbox: boolean): void {
  if (!isRoot()) throw new ExitError(exits.host, `run needs root: it mounts, attaches and changes root\n  help: sudo chrootfile run ${file}`);
  const holder = [...plan.tasks.values()].find((task) => task.lifetime === 'hold' && task.task.action.type === 'run' && task.in === undefined);
  if (!sandbox && holder !== undefined && !mounts().findLast(({ path }) => path === '/')?.shared) {
    const help = 'leave out --no-sandbox, or mount --make-rshared / first';
    throw new ExitError(exits.host, `without the sandbox "${holder.id}" cannot mount anything for the tasks that stand on it\n  help: ${help}`);
  }
  mustHave(toolsFor(plan));
}

function openSession(loaded: LoadedRecipe, plan: Plan, inputs: Map<string, unknown>, options: RunOptions, signal: AbortSignal) {
  const { recipe } = loaded.module;
  const state = stateFolder(options.state);
  const started = new Date();
  const folder = new RunFolder(state, newRunId(recipe.name, started));
  const cloud = withDefaults({ ...(recipe.cloud ?? { provider: 'local' }), ...(options.cloud === undefined ? {} : { provider: options.cloud }) });
  const redactor = new Redactor();
  for (const [name, declared] of recipe.inputs) if (declared.secret) redactor.add(inputs.get(name));

  return {
    async run(interruption: Interruption): Promise<number> {
      folder.create();
      const release = await folder.lock(`run of ${loaded.file}`);
      const journal = Journal.create(folder.journal, {
        run: folder.id,
        recipe: loaded.file,
        started: started.toISOString(),
        cloud,
        owner: ownIdentity(),
        sandbox: options.sandbox,
      });
      const record = new RunRecord(folder);
      const report = await openReport(options.format, { verbose: options.verbose, quiet: options.quiet });
      const emit = redacting(redactor, [(event) => record.record(event), report.sink]);
      const pipes = new PipeMaker(join(folder.path, 'pipes'), hostShell);
      try {
        keepInputs(folder, loaded, plan, inputs, redactor);
        emit({
          type: 'run.started',
          run: folder.id,
          recipe: loaded.file,
          nodes: plan.nodes.map((node) => ({ id: node.id, description: node.type === 'task' ? node.task.task.description : undefined })),
        });
        warnOfDeadRuns(state, emit);
        const world = openWorld(cloud, state, signal);
        const facts = new RunFacts(inputs, process.env, redactor, folder, started);
        const secret = (name: string) => (inputs.get(name) === null ? undefined : (inputs.get(name) as string | undefined));
        const rendered = new Map<number, RenderedUndo>();
        const undoers = undoersOf(kinds);
        undoers.set(
          'script',
          scriptUndoer(rendered, pipes, secret, process.env, (task, lines) => emit({ type: 'task.output', task, lines })),
        );
        const outcome = await execute({
          plan,
          language,
          kinds: new Map(kinds.map((kind) => [kind.name, kind])),
          undoers,
          rendered,
          facts,
          journal,
          folder,
          pipes,
          world,
          emit,
          places: options.jobs ?? availableParallelism(),
          keepGoing: options.keepGoing,
          keep: options.onFailure === 'keep',
          force: options.force,
          redactor,
          atCommit: [],
        });
        const exit = exitOf(outcome, interruption, options);
        if (outcome.ok)
          writeFileSync(join(folder.path, 'outputs.json'), `${JSON.stringify(redactor.redactValue(outcome.outputs), undefined, 2)}\n`, { mode: 0o600 });
        emit({
          type: 'run.finished',
          ok: outcome.ok,
          exit,
          run: folder.id,
          seconds: (Date.now() - started.getTime()) / 1000,
          outputs: outcome.outputs,
          left: outcome.left,
        });
        await report.end();
        return exit;
      } finally {
        pipes.close();
        record.close();
        journal.close();
        removeMountPoint(folder.mounts);
        await release();
      }
    },
  };
}

/** What the environment says of the cloud is written down with the run: its undo may run in another one. */
function withDefaults(cloud: Cloud): Cloud {
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  const profile = cloud.profile ?? process.env['AWS_PROFILE'];
  return { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
}

function exitOf(outcome: { readonly ok: boolean; readonly left: readonly Left[] }, interruption: Interruption, options: RunOptions): number {
  if (outcome.ok) return exits.done;
  if (outcome.left.length > 0 && options.onFailure !== 'keep') return exits.left;
  return interruption.exit() ?? exits.failed;
}

/** Keeps what was run, for people who ask later. */
function keepInputs(folder: RunFolder, loaded: LoadedRecipe, plan: Plan, inputs: ReadonlyMap<string, unknown>, redactor: Redactor): void {
  const write = (name: string, text: string) => writeFileSync(join(folder.path, name), redactor.redact(text), { mode: 0o600 });
  write('recipe.yml', loaded.module.recipe.document.source.text);
  const shown = [...inputs].map(([name, value]) => [name, loaded.module.recipe.inputs.get(name)?.secret && value !== null ? '***' : value]);
  write('inputs.json', `${JSON.stringify(Object.fromEntries(shown), undefined, 2)}\n`);
  write('plan.json', `${JSON.stringify(planJson(plan), undefined, 1)}\n`);
}

function warnOfDeadRuns(state: string, emit: EventSink): void {
  for (const run of listRuns(state)) {
    const summary = run.summary();
    if (summary === undefined || summary.open === 0 || !isUnfinished(summary)) continue;
    emit({ type: 'warning', message: `run ${summary.run} left ${summary.open} thing${summary.open === 1 ? '' : 's'} behind: chrootfile undo ${summary.run}` });
  }
}
