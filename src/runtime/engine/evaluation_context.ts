import { randomUUID } from 'node:crypto';
import type { Facts } from '../../dsl/evaluate.js';
import { type Module, taskId } from '../../dsl/recipe/module.js';
import type { Redactor } from '../output/redactor.js';
import type { KeptRun } from '../runs/resume_state.js';
import type { RunFolder } from '../runs/run_folder.js';

/** How a run began. */
export interface RunStart {
  readonly folder: RunFolder;
  readonly started: Date;
  /** `run.arguments`. */
  readonly words: readonly string[];
  /** For a resumed run: what its first part recorded. */
  readonly kept?: Pick<KeptRun, 'facts' | 'commandOutputs'> | undefined;
}

/** What templates can refer to during a run. Outputs are added as tasks end. */
export class EvaluationContext implements Facts {
  readonly run: Facts['run'];
  private readonly outputs = new Map<string, Readonly<Record<string, unknown>>>();
  private readonly commandOutputs: Map<string, string>;

  constructor(
    readonly inputs: ReadonlyMap<string, unknown>,
    /** The program's own environment. */
    readonly variables: Readonly<Record<string, string | undefined>>,
    private readonly redactor: Redactor,
    { folder, started, words, kept }: RunStart,
  ) {
    this.commandOutputs = new Map(Object.entries(kept?.commandOutputs ?? {}));
    if (kept !== undefined) {
      // Runs kept by an earlier version have no arguments.
      this.run = { ...kept.facts, arguments: kept.facts.arguments ?? [] };
      return;
    }
    const iso = started.toISOString().replace(/\.\d+Z$/, 'Z');
    this.run = {
      id: folder.id,
      timestamp: String(Math.floor(started.getTime() / 1000)),
      started: iso,
      isotime: iso.replace(/[-:]/g, ''),
      dir: folder.path,
      uuid: randomUUID(),
      arguments: words,
    };
  }

  environment(name: string): string | undefined {
    return this.variables[name];
  }

  commandOutput(module: Module, name: string): unknown {
    return this.commandOutputs.get(taskId(module, name));
  }

  setCommandOutput(module: Module, name: string, text: string): void {
    this.commandOutputs.set(taskId(module, name), text);
  }

  /** What the commands of variables printed, without texts that contain secrets. */
  get openCommandOutputs(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.commandOutputs].filter(([, text]) => this.redactor.redact(text) === text));
  }

  /** All outputs of a task. */
  outputsOf(task: string): Readonly<Record<string, unknown>> {
    return this.outputs.get(task) ?? {};
  }

  /** Whether a task has ended, so that its outputs are known. */
  hasEnded(task: string): boolean {
    return this.outputs.has(task);
  }

  /** An output of a task; null when the task did not set it, for example because it was skipped. */
  output(task: string, name: string): unknown {
    return this.outputs.get(task)?.[name] ?? null;
  }

  setOutputs(task: string, outputs: Readonly<Record<string, unknown>>): void {
    this.outputs.set(task, outputs);
  }

  secret(value: unknown): void {
    this.redactor.add(value);
  }
}
