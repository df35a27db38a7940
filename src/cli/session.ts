import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { markKept } from '../aws/ownership_tags.js';
import { formatDiagnostic } from '../dsl/diagnostics/diagnostic.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { writeWhole } from '../linux/atomic_write.js';
import { hostShell } from '../linux/command.js';
import { PipeMaker } from '../linux/fifo.js';
import { removeMountPoint } from '../linux/mounts.js';
import { keepNamespace, letNamespaceGo } from '../linux/namespace_holder.js';
import { ownIdentity } from '../linux/process_identity.js';
import { RunFacts } from '../runtime/engine/evaluation_context.js';
import type { RunEvent } from '../runtime/engine/events.js';
import { execute, type Outcome } from '../runtime/engine/executor.js';
import type { Artifact } from '../runtime/engine/kind.js';
import { type RenderedUndo, scriptUndoer } from '../runtime/engine/script_undo.js';
import { Redactor } from '../runtime/output/redactor.js';
import { redactedOutput } from '../runtime/output/task_output.js';
import { artifactsOf } from '../runtime/runs/artifacts.js';
import { RunRecord, redacting } from '../runtime/runs/event_log.js';
import { claimState, currentFormat } from '../runtime/runs/format.js';
import { Journal } from '../runtime/runs/journal.js';
import { type Ended, forgetKept, readKept, writeKept } from '../runtime/runs/resume_state.js';
import { listRuns, type RunFolder } from '../runtime/runs/run_folder.js';
import { undoersOf } from '../runtime/runs/undo.js';
import { kinds } from '../tasks/index.js';
import { language } from '../tasks/language.js';
import { makeRoom } from './embedded_ec2.js';
import { ExitError, exits } from './exit_codes.js';
import { openWorld } from './host_context.js';
import type { PreparedRun, RunOptions } from './prepared_run.js';
import { openReport } from './reports/index.js';
import { planJson } from './reports/plan.js';
import { servedAt } from './served_ec2.js';
import { hasPerson, hideSecrets, printError } from './terminal/output.js';
import type { Interruption } from './terminal/signals.js';

/** Runs what was prepared, from its lock to its last line; gives the exit code. */
export async function runSession(prepared: PreparedRun, options: RunOptions, interruption: Interruption): Promise<number> {
  const { loaded, plan, inputs, folder, kept, done } = prepared;
  const { recipe } = loaded.module;
  const { signal } = interruption;
  const started = new Date();
  const startedAt = performance.now();
  const redactor = new Redactor();
  for (const [name, declared] of recipe.inputs) if (declared.secret) redactor.add(inputs.get(name));
  hideSecrets(redactor);
  const { journal, release } = await openRun(prepared, options, started, redactor);
  const { cloud } = journal.head;
  const record = new RunRecord(folder, options.logLimit);
  const asks = options.step || options.onFailure === 'ask' || options.onFailure === 'shell';
  const person = asks ? await import('./terminal/debugging.js') : undefined;
  const report = await openReport(asks && options.format === 'auto' ? 'plain' : options.format, options);
  const emit = redacting(redactor, [(event) => record.record(event), report.sink]);
  const pipes = new PipeMaker(folder.pipes, hostShell, redactedOutput(redactor));
  try {
    emit({
      type: 'run.started',
      run: folder.id,
      recipe: loaded.file,
      done: done.size,
      nodes: plan.nodes
        .filter((node) => !done.has(node.id))
        .map((node) => ({ id: node.id, description: node.type === 'task' ? node.task.task.description : undefined })),
    });
    const warn = (message: string) => emit({ type: 'warning', message });
    // The event says already what it is.
    for (const { severity: _, ...warning } of plan.warnings) warn(formatDiagnostic(warning).trimEnd());
    warnOfDeadRuns(folder, warn);
    // As it is now: what the SDK is told by it is no business of scripts.
    const environment = { ...process.env };
    const facts = new RunFacts(inputs, environment, redactor, { folder, started, words: options.arguments, kept });
    const secret = (name: string) => (inputs.get(name) === null ? undefined : (inputs.get(name) as string | undefined));
    const rendered = new Map<number, RenderedUndo>();
    const undoers = undoersOf(kinds);
    undoers.set(
      'script',
      scriptUndoer(rendered, pipes, secret, environment, (task, lines) => emit({ type: 'task.output', task, lines })),
    );
    const world = openWorld({ cloud, state: folder.state, signal, warn });
    interruption.onUndoInterrupted = (reason) => emit({ type: 'undo.interrupted', reason, waiting: [...(world.opened()?.usage.waitsFor ?? [])] });
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
      hasTerminal: hasPerson(),
      keepGoing: options.keepGoing,
      keepsHolds: options.onFailure !== 'undo',
      onFailure:
        person?.onFailureOf(options.onFailure, signal, (text) => redactor.message(text)) ?? (async () => (options.onFailure === 'keep' ? 'keep' : 'undo')),
      beforeTask: options.step ? person?.stepper(signal) : undefined,
      done,
      force: options.force,
      redactor,
      beforeCommit: () => markKept(artifactsOf(journal.open, kinds), world, warn),
      atCommit: [],
      inUndo: interruption.inUndo,
    });
    const isKept = outcome.kept !== undefined && keep(prepared, outcome.kept, facts, options, { redactor, warn });
    const finished: Finished = {
      type: 'run.finished',
      ok: outcome.ok,
      exit: exitOf(outcome, isKept, interruption),
      run: folder.id,
      seconds: (performance.now() - startedAt) / 1000,
      outputs: outcome.outputs,
      ...(outcome.outputsError === undefined ? {} : { outputs_error: outcome.outputsError }),
      left: outcome.left,
      kept: isKept,
      artifacts: outcome.ok ? artifactsOf(journal.open, kinds) : [],
      ec2: world.opened()?.usage.report(),
    };
    emit(finished);
    await report.end();
    if (outcome.ok) keepOutputs(prepared, options, started, redactor.redactValue(finished));
    return finished.exit;
  } finally {
    // The run is over, and said so: what does not go now, `undo --all` removes.
    await ending(
      () => pipes.close(),
      () => record.close(),
      () => journal.close(),
      () => removeMountPoint(folder.mounts),
      release,
    );
  }
}

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** Does what ends a run, step by step; what goes wrong is told, and keeps no other step from being done. */
async function ending(...steps: readonly (() => void | Promise<void>)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      printError(`warning: ${(error as Error).message}`);
    }
  }
}

/** Makes the folder and the journal of a run, or opens those of a kept one, and holds its lock. */
async function openRun(
  prepared: PreparedRun,
  options: RunOptions,
  started: Date,
  redactor: Redactor,
): Promise<{ journal: Journal; release: () => Promise<void> }> {
  const { loaded, folder, kept } = prepared;
  claimState(folder.state);
  await makeRoom(folder.state);
  const release = await folder.lock(`run of ${loaded.file}`);
  let journal: Journal | undefined;
  try {
    if (kept === undefined) folder.create();
    journal = kept === undefined ? newJournal(prepared, options, started) : openKept(folder);
    keepInputs(prepared, redactor);
    if (kept !== undefined) {
      // This process is where its mounts are, and holds them from here on.
      forgetKept(folder);
      await letNamespaceGo(folder.keeper);
    }
    return { journal, release };
  } catch (error) {
    journal?.close();
    await release();
    if (kept === undefined) folder.discard();
    throw error;
  }
}

function newJournal({ loaded, folder }: PreparedRun, options: RunOptions, started: Date): Journal {
  const named = loaded.module.recipe.cloud ?? { provider: 'local' };
  return folder.begin({
    format: currentFormat,
    run: folder.id,
    recipe: loaded.file,
    started: started.toISOString(),
    cloud: withDefaults({ ...named, ...toldOf(options) }, folder.state),
    owner: ownIdentity(),
    sandbox: options.sandbox,
  });
}

/** What the command line says of the cloud. */
export function toldOf({ cloud, region, profile, endpoint }: Pick<RunOptions, 'cloud' | 'region' | 'profile' | 'endpoint'>): Partial<Cloud> {
  const told = { provider: cloud, region, profile, endpoint };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

/** What the environment says of the cloud is written down with the run: its undo may run in another one. */
function withDefaults(cloud: Cloud, state: string): Cloud {
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  // An EC2 that is served from here has a key of its own, as long as the recipe names no profile.
  const isServed = servedAt(cloud.endpoint, state) !== undefined;
  const profile = cloud.profile ?? (isServed ? undefined : process.env['AWS_PROFILE']);
  return { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
}

/** @throws ExitError when somebody undid the run, or went on with it, while this one waited. */
function openKept(folder: RunFolder): Journal {
  const journal = Journal.open(folder.journal);
  if (journal.ended === undefined && readKept(folder) !== undefined) return journal;
  journal.close();
  throw new ExitError(exits.invalid, `run ${folder.id} cannot be resumed: it is ${journal.ended ?? 'gone on with already'}`);
}

/** A run that is kept leaves its mounts, and all it takes to go on. @returns whether that could be written down. */
function keep(
  { loaded, plan, inputs, folder }: PreparedRun,
  ended: ReadonlyMap<string, Ended>,
  facts: RunFacts,
  { sandbox }: RunOptions,
  { redactor, warn }: { readonly redactor: Redactor; readonly warn: (message: string) => void },
): boolean {
  const { recipe } = loaded.module;
  const kept = {
    recipe: loaded.file,
    folder: process.cwd(),
    goals: plan.goals,
    inputs: Object.fromEntries([...inputs].filter(([name]) => !recipe.inputs.get(name)?.secret)),
    facts: facts.run,
    commandOutputs: facts.openCommandOutputs,
    sandbox,
  };
  try {
    if (sandbox) keepNamespace(folder.keeper);
    writeKept(folder, kept, plan, ended, redactor);
    return true;
  } catch (error) {
    warn(`the run cannot be kept for --resume: ${(error as Error).message}`);
    return false;
  }
}

function exitOf({ ok, outputsError, left }: Outcome, isKept: boolean, interruption: Interruption): number {
  if (ok) return outputsError === undefined ? exits.done : exits.outputs;
  if (left.length > 0 && !isKept) return exits.left;
  return interruption.exit() ?? exits.failed;
}

/** Keeps what was run, for people who ask later. */
function keepInputs({ folder, loaded, plan, inputs }: PreparedRun, redactor: Redactor): void {
  const write = (name: string, text: string) => writeWhole(join(folder.path, name), text);
  write('recipe.yml', redactor.redact(loaded.module.recipe.document.source.text));
  const shown = [...inputs].map(([name, value]) => [name, loaded.module.recipe.inputs.get(name)?.secret && value !== null ? '***' : value]);
  write('inputs.json', `${JSON.stringify(redactor.redactValue(Object.fromEntries(shown)), undefined, 2)}\n`);
  write('plan.json', `${JSON.stringify(redactor.redactValue(planJson(plan)), undefined, 1)}\n`);
}

/** Keeps what a run gave, once it was printed: where that fails, the run has succeeded all the same. */
function keepOutputs({ folder, loaded }: PreparedRun, { manifest }: RunOptions, started: Date, { outputs, artifacts }: Finished): void {
  const made: { run: string; recipe: string; started: string; finished: string; outputs: Finished['outputs']; artifacts: readonly Artifact[] } = {
    run: folder.id,
    recipe: loaded.file,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    outputs,
    artifacts,
  };
  for (const [file, content] of [
    [join(folder.path, 'outputs.json'), outputs],
    ...(manifest === undefined ? [] : [[resolve(manifest), made] as const]),
  ] as const) {
    try {
      writeWhole(file, `${JSON.stringify(content, undefined, 2)}\n`);
    } catch (error) {
      printError(`warning: ${file} cannot be written: ${(error as Error).message}`);
    }
  }
}

function warnOfDeadRuns(own: RunFolder, warn: (message: string) => void): void {
  for (const run of listRuns(own.state)) {
    if (run.id === own.id) continue;
    const { state, open, error, run: id } = run.summary();
    const things = `${open} thing${open === 1 ? '' : 's'}`;
    if (state === 'unreadable') warn(`the journal of run ${id} is damaged (${error}): chrootfile undo ${id}`);
    else if (open > 0 && state === 'kept') warn(`run ${id} is kept, with ${things}: chrootfile run --resume ${id}, or undo ${id}`);
    else if (open > 0 && (state === 'dead' || state === 'left')) warn(`run ${id} left ${things} behind: chrootfile undo ${id}`);
  }
}
