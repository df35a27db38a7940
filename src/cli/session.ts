import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Cloud } from '../dsl/recipe.js';
import { artifactsOf } from '../runtime/artifacts.js';
import type { EventSink } from '../runtime/events.js';
import { execute, type Outcome } from '../runtime/execute.js';
import { RunFacts } from '../runtime/facts.js';
import { Journal, writeWhole } from '../runtime/journal.js';
import { keepNamespace, letNamespaceGo } from '../runtime/keeper.js';
import { forgetKept, readKept, writeKept } from '../runtime/kept.js';
import { removeMountPoint } from '../runtime/mounts.js';
import { PipeMaker } from '../runtime/pipe.js';
import { ownIdentity } from '../runtime/process.js';
import { Redactor } from '../runtime/redact.js';
import { RunRecord, redacting } from '../runtime/report.js';
import { isUnfinished, listRuns, type RunFolder } from '../runtime/runs.js';
import { hostShell } from '../runtime/shell.js';
import { undoersOf } from '../runtime/undo.js';
import { type RenderedUndo, scriptUndoer } from '../runtime/user_script.js';
import { kinds } from '../tasks/index.js';
import { language } from '../tasks/language.js';
import { ExitError, exits } from './exits.js';
import { planJson } from './plan.js';
import { openReport } from './reports/index.js';
import type { PreparedRun, RunOptions } from './run.js';
import type { Interruption } from './signals.js';
import { type OpenedWorld, openWorld } from './world.js';

/** Runs what was prepared, from its lock to its last line; gives the exit code. */
export async function runSession(prepared: PreparedRun, options: RunOptions, interruption: Interruption): Promise<number> {
  const { loaded, plan, inputs, folder, kept, done } = prepared;
  const { recipe } = loaded.module;
  const { signal } = interruption;
  const started = new Date();
  const redactor = new Redactor();
  for (const [name, declared] of recipe.inputs) if (declared.secret) redactor.add(inputs.get(name));
  if (kept === undefined) folder.create();
  const release = await folder.lock(`run of ${loaded.file}`);
  const journal = kept === undefined ? newJournal(prepared, options, started) : await openKept(folder, release);
  const { cloud } = journal.head;
  const record = new RunRecord(folder);
  const asks = options.step || options.onFailure === 'ask' || options.onFailure === 'shell';
  const person = asks ? await import('./debug.js') : undefined;
  const report = await openReport(asks && options.format === 'auto' ? 'plain' : options.format, options);
  const emit = redacting(redactor, [(event) => record.record(event), report.sink]);
  const pipes = new PipeMaker(join(folder.path, 'pipes'), hostShell);
  try {
    keepInputs(prepared, redactor);
    emit({
      type: 'run.started',
      run: folder.id,
      recipe: loaded.file,
      done: done.size,
      nodes: plan.nodes
        .filter((node) => !done.has(node.id))
        .map((node) => ({ id: node.id, description: node.type === 'task' ? node.task.task.description : undefined })),
    });
    warnOfDeadRuns(folder, emit);
    // As it is now: what the SDK is told by it is no business of scripts.
    const environment = { ...process.env };
    const facts = new RunFacts(inputs, environment, redactor, folder, started, kept);
    const secret = (name: string) => (inputs.get(name) === null ? undefined : (inputs.get(name) as string | undefined));
    const rendered = new Map<number, RenderedUndo>();
    const undoers = undoersOf(kinds);
    undoers.set(
      'script',
      scriptUndoer(rendered, pipes, secret, environment, (task, lines) => emit({ type: 'task.output', task, lines })),
    );
    const world = openWorld(cloud, folder.state, signal);
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
      keepsHolds: options.onFailure !== 'undo',
      onFailure:
        person?.onFailureOf(options.onFailure, signal, (text) => redactor.redact(text)) ?? (async () => (options.onFailure === 'keep' ? 'keep' : 'undo')),
      beforeTask: options.step ? person?.stepper(signal) : undefined,
      done,
      force: options.force,
      redactor,
      atCommit: [],
    });
    keep(prepared, outcome, facts, options, redactor);
    const exit = exitOf(outcome, interruption);
    const outputs = redactor.redactValue(outcome.outputs);
    const artifacts = outcome.ok ? artifactsOf(journal, kinds) : [];
    if (outcome.ok) {
      writeFileSync(join(folder.path, 'outputs.json'), `${JSON.stringify(outputs, undefined, 2)}\n`, { mode: 0o600 });
      const manifest = { run: folder.id, recipe: loaded.file, started: started.toISOString(), finished: new Date().toISOString(), outputs, artifacts };
      if (options.manifest !== undefined) writeWhole(options.manifest, `${JSON.stringify(manifest, undefined, 2)}\n`);
    }
    emit({
      type: 'run.finished',
      ok: outcome.ok,
      exit,
      run: folder.id,
      seconds: (Date.now() - started.getTime()) / 1000,
      outputs: outcome.outputs,
      left: outcome.left,
      kept: outcome.kept !== undefined,
      artifacts,
      ec2: await usageOf(world),
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
}

/** What was asked of EC2; undefined where nothing was, or it could not be opened. */
async function usageOf(world: OpenedWorld) {
  return (await world.opened()?.catch(() => undefined))?.usage.report();
}

function newJournal({ loaded, folder }: PreparedRun, options: RunOptions, started: Date): Journal {
  const named = loaded.module.recipe.cloud ?? { provider: 'local' };
  return Journal.create(folder.journal, {
    run: folder.id,
    recipe: loaded.file,
    started: started.toISOString(),
    cloud: withDefaults({ ...named, ...toldOf(options) }),
    owner: ownIdentity(),
    sandbox: options.sandbox,
  });
}

/** What the command line says of the cloud. */
function toldOf({ cloud, region, profile, endpoint }: RunOptions): Partial<Cloud> {
  const told = { provider: cloud, region, profile, endpoint };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

/** What the environment says of the cloud is written down with the run: its undo may run in another one. */
function withDefaults(cloud: Cloud): Cloud {
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  const profile = cloud.profile ?? process.env['AWS_PROFILE'];
  return { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
}

/** @throws ExitError when somebody undid the run, or went on with it, while this one waited. */
async function openKept(folder: RunFolder, release: () => Promise<void>): Promise<Journal> {
  const journal = Journal.open(folder.journal);
  if (journal.ended === undefined && readKept(folder) !== undefined) {
    // This process is where its mounts are, and holds them from here on.
    forgetKept(folder);
    await letNamespaceGo(folder.keeper);
    return journal;
  }
  journal.close();
  await release();
  throw new ExitError(exits.invalid, `run ${folder.id} cannot be resumed: it is ${journal.ended ?? 'gone on with already'}`);
}

/** A run that is kept leaves its mounts, and all it takes to go on. */
function keep({ loaded, plan, inputs, folder }: PreparedRun, outcome: Outcome, facts: RunFacts, { sandbox }: RunOptions, redactor: Redactor): void {
  if (outcome.kept === undefined) return;
  if (sandbox) keepNamespace(folder.keeper);
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
  writeKept(folder, kept, plan, outcome.kept, redactor);
}

function exitOf({ ok, left, kept }: Outcome, interruption: Interruption): number {
  if (ok) return exits.done;
  if (left.length > 0 && kept === undefined) return exits.left;
  return interruption.exit() ?? exits.failed;
}

/** Keeps what was run, for people who ask later. */
function keepInputs({ folder, loaded, plan, inputs }: PreparedRun, redactor: Redactor): void {
  const write = (name: string, text: string) => writeFileSync(join(folder.path, name), redactor.redact(text), { mode: 0o600 });
  write('recipe.yml', loaded.module.recipe.document.source.text);
  const shown = [...inputs].map(([name, value]) => [name, loaded.module.recipe.inputs.get(name)?.secret && value !== null ? '***' : value]);
  write('inputs.json', `${JSON.stringify(Object.fromEntries(shown), undefined, 2)}\n`);
  write('plan.json', `${JSON.stringify(planJson(plan), undefined, 1)}\n`);
}

function warnOfDeadRuns(own: RunFolder, emit: EventSink): void {
  for (const run of listRuns(own.state)) {
    const summary = run.id === own.id ? undefined : run.summary();
    if (summary === undefined || summary.open === 0 || !isUnfinished(summary)) continue;
    const things = `${summary.open} thing${summary.open === 1 ? '' : 's'}`;
    const message =
      summary.state === 'kept'
        ? `run ${summary.run} is kept, with ${things}: chrootfile run --resume ${summary.run}, or undo ${summary.run}`
        : `run ${summary.run} left ${things} behind: chrootfile undo ${summary.run}`;
    emit({ type: 'warning', message });
  }
}
