import { availableParallelism } from 'node:os';
import { markKept } from '../aws/ownership_tags.js';
import { formatDiagnostic } from '../dsl/diagnostics/diagnostic.js';
import { keepNamespace, letNamespaceGo } from '../linux/namespace_holder.js';
import { ownIdentity } from '../linux/process_identity.js';
import { EvaluationContext } from '../runtime/engine/evaluation_context.js';
import type { RunEvent } from '../runtime/engine/events.js';
import { execute, type Outcome } from '../runtime/engine/executor.js';
import { Redactor } from '../runtime/output/redactor.js';
import { artifactsOf } from '../runtime/runs/artifacts.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { claimState, currentFormat } from '../runtime/runs/format.js';
import { Journal } from '../runtime/runs/journal.js';
import { forgetKept, readKept, writeKept } from '../runtime/runs/resume_state.js';
import { listRuns, type RunFolder } from '../runtime/runs/run_folder.js';
import { kinds } from '../tasks/index.js';
import { language } from '../tasks/language.js';
import { makeRoom } from './embedded_ec2.js';
import { ExitError, exits } from './exit_codes.js';
import { openRun } from './open_run.js';
import type { PreparedRun, RunOptions } from './prepared_run.js';
import { openReport } from './reports/index.js';
import { counted } from './reports/lines.js';
import { writeInputs, writeOutputs } from './run_files.js';
import { hasPerson } from './terminal/output.js';
import type { Interruption } from './terminal/signals.js';

/** Runs a prepared run, from its lock to its last line of output; returns the exit code. */
export async function runSession(prepared: PreparedRun, options: RunOptions, interruption: Interruption): Promise<number> {
  const { plan, inputs, folder, kept, done } = prepared;
  const { signal } = interruption;
  const started = new Date();
  const startedAt = performance.now();
  const redactor = redactorFor(prepared);
  const asks = options.step || options.onFailure === 'ask' || options.onFailure === 'shell';
  const person = asks ? await import('./terminal/debugging.js') : undefined;
  const report = await openReport(asks && options.format === 'auto' ? 'plain' : options.format, { ...options, state: folder.state });
  claimState(folder.state);
  await makeRoom(folder.state);
  const environment = { ...process.env };
  const run = await openRun({
    folder,
    purpose: `run of ${prepared.loaded.file}`,
    openJournal: () => (kept === undefined ? newJournal(prepared, options, started) : Journal.open(folder.journal)),
    prepare: (journal) => begin(prepared, journal, redactor),
    redactor,
    environment,
    secret: (name) => (inputs.get(name) === null ? undefined : (inputs.get(name) as string | undefined)),
    sink: report.sink,
    logLimit: options.logLimit,
    interruption,
  });
  const { journal, emit, warn, host } = run;
  interruption.onInterrupted = (reason, again) => emit({ type: 'run.interrupted', reason, again });
  try {
    emit(startedEvent(prepared));
    // Interrupted while the run was opened.
    if (signal.aborted) emit({ type: 'run.interrupted', reason: (signal.reason as Error).message, again: false });
    // The event says already what it is.
    for (const { severity: _, ...warning } of [...prepared.loaded.warnings, ...plan.warnings]) warn(formatDiagnostic(warning).trimEnd());
    warnOfDeadRuns(folder, warn);
    const facts = new EvaluationContext(inputs, environment, redactor, { folder, started, words: options.arguments, kept });
    const outcome = await execute({
      plan,
      language,
      kinds: new Map(kinds.map((kind) => [kind.name, kind])),
      undoers: run.undoers,
      rendered: run.rendered,
      facts,
      journal,
      folder,
      pipes: run.pipes,
      host,
      emit,
      places: options.jobs ?? availableParallelism(),
      hasTerminal: hasPerson(),
      keepGoing: options.keepGoing,
      keepsResources: options.onFailure !== 'undo',
      onFailure:
        person?.onFailureOf(options.onFailure, signal, (text) => redactor.message(text)) ?? (async () => (options.onFailure === 'keep' ? 'keep' : 'undo')),
      beforeTask: options.step ? person?.stepper(signal) : undefined,
      done,
      forced: prepared.forced,
      restored: kept?.layers ?? {},
      discards: options.discards ?? false,
      redactor,
      beforeCommit: () => markKept(artifactsOf(journal.open, kinds), host, warn),
      atCommit: [],
      inUndo: interruption.inUndo,
    });
    const isKept = keep(prepared, outcome, facts, options, { redactor, warn });
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
      ec2: host.opened()?.metrics.report(),
    };
    emit(finished);
    await report.end();
    if (outcome.ok) writeOutputs(prepared, options.manifest, started, redactor.redactValue(finished));
    return finished.exit;
  } finally {
    await run.close();
  }
}

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** A redactor with the values of all secret inputs. */
function redactorFor({ loaded, inputs }: PreparedRun): Redactor {
  const redactor = new Redactor();
  for (const [name, declared] of loaded.module.recipe.inputs) if (declared.secret) redactor.add(inputs.get(name));
  return redactor;
}

function newJournal({ loaded, folder, cloud = { provider: 'local' } }: PreparedRun, options: RunOptions, started: Date): Journal {
  folder.create();
  return folder.begin({
    format: currentFormat,
    run: folder.id,
    recipe: loaded.file,
    started: started.toISOString(),
    cloud,
    owner: ownIdentity(),
    sandbox: options.sandbox,
  });
}

/**
 * Writes the recipe, inputs and plan of the run. From here on, a kept run counts as running.
 * @throws ExitError when the kept run was undone or resumed while this process waited for its lock.
 */
async function begin(prepared: PreparedRun, journal: Journal, redactor: Redactor): Promise<void> {
  const { folder, kept } = prepared;
  if (kept !== undefined && (journal.ended !== undefined || readKept(folder) === undefined))
    throw new ExitError(exits.invalid, `run ${folder.id} cannot be resumed: it was already ${journal.ended === undefined ? 'resumed' : 'undone'}`);
  writeInputs(prepared, redactor);
  if (kept === undefined) return;
  // This process is in the namespace of its mounts, and keeps them from here on.
  forgetKept(folder);
  await letNamespaceGo(folder.keeper);
}

function startedEvent({ loaded, plan, folder, done }: PreparedRun): RunEvent {
  return {
    type: 'run.started',
    version: 1,
    run: folder.id,
    recipe: loaded.file,
    done: done.size,
    nodes: plan.nodes
      .filter((node) => !done.has(node.id))
      .map((node) => ({ id: node.id, type: node.type, description: node.type === 'task' ? node.task.task.description : undefined })),
  };
}

/** Keeps the mounts of a run and everything needed to resume it. @returns whether it could be saved. */
function keep(
  { loaded, plan, inputs, folder }: PreparedRun,
  { kept: ended, layers = {} }: Outcome,
  facts: EvaluationContext,
  { sandbox }: RunOptions,
  { redactor, warn }: { readonly redactor: Redactor; readonly warn: (message: string) => void },
): boolean {
  if (ended === undefined) return false;
  const { recipe } = loaded.module;
  const kept = {
    layers,
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

function warnOfDeadRuns(own: RunFolder, warn: (message: string) => void): void {
  for (const run of listRuns(own.state)) {
    if (run.id === own.id) continue;
    const { state, open, error, run: id } = run.summary();
    const changes = `${counted(open, 'change')} to undo`;
    const [undo, resume] = [`undo ${id}`, `run --resume ${id}`].map((words) => commandToType(own.state, words));
    if (state === 'unreadable') warn(`the journal of run ${id} is damaged (${error}): ${undo}`);
    else if (open > 0 && state === 'paused') warn(`run ${id} is paused, with ${changes}: ${resume}, or ${undo}`);
    else if (open > 0 && (state === 'interrupted' || state === 'left_behind')) warn(`run ${id} left ${changes}: ${undo}`);
  }
}
