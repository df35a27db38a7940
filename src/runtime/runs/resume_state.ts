import { existsSync } from 'node:fs';
import type { Facts } from '../../dsl/evaluate.js';
import type { Plan } from '../../dsl/plan/plan.js';
import { definitionOf } from '../../dsl/resolve/definition.js';
import { removeForGood, writeWhole } from '../../linux/atomic_write.js';
import { readJson } from '../../linux/read_json.js';
import type { NodeOutcome } from '../engine/events.js';
import { holdsSecrets } from '../engine/script_outputs.js';
import type { Layer } from '../layers/layer_records.js';
import type { Redactor } from '../output/redactor.js';
import type { RunFolder } from './run_folder.js';

/** The outcome of a node of the plan in an earlier part of the run, and its outputs. */
export interface Ended {
  readonly outcome: NodeOutcome;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A failed run that was kept, with everything needed to resume it. Contains no secrets. */
export interface KeptRun {
  /** The path of the recipe as it was given, and the folder that it is relative to. */
  readonly recipe: string;
  readonly folder: string;
  readonly goals: readonly string[];
  /** Values of inputs that are not secret. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly facts: Facts['run'];
  readonly commandOutputs: Readonly<Record<string, string>>;
  /** Whether it has its own mount namespace, which is kept too. */
  readonly sandbox: boolean;
  /** The version of {@link definitionOf}; missing in runs kept by older versions, which hashed less. */
  readonly definitions?: number;
  /** The layers from which its volumes were made, by the first task of their chains. */
  readonly layers?: Readonly<Record<string, Layer>>;
  /** The nodes that succeeded. */
  readonly nodes: Readonly<Record<string, Ended & { readonly definition: string; readonly hasSecrets: boolean }>>;
}

/** Increases when {@link definitionOf} hashes something else. */
const definitions = 2;

/** Whether another version of chrootfile kept the run. Its definitions cannot be compared with those of this version. */
export function isOfOtherVersion(kept: KeptRun): boolean {
  return kept.definitions !== definitions;
}

/** Saves a kept run. */
export function writeKept(
  folder: RunFolder,
  kept: Omit<KeptRun, 'definitions' | 'nodes'>,
  plan: Plan,
  ended: ReadonlyMap<string, Ended>,
  redactor: Redactor,
): void {
  const nodes = plan.nodes.flatMap((node) => {
    const how = ended.get(node.id);
    if (how === undefined) return [];
    const outputs = redactor.redactValue(how.outputs);
    const { action } = node.task.task;
    const declared = action.type === 'run' && holdsSecrets(action);
    const hasSecrets = declared || JSON.stringify(outputs) !== JSON.stringify(how.outputs);
    return [[node.id, { outcome: how.outcome, outputs, hasSecrets, definition: definitionOf(node.task) }]];
  });
  writeWhole(folder.kept, `${JSON.stringify({ ...kept, definitions, nodes: Object.fromEntries(nodes) }, undefined, 1)}\n`);
}

/** Reads a kept run; undefined when the run was not kept. */
export function readKept(folder: RunFolder): KeptRun | undefined {
  return existsSync(folder.kept) ? (readJson(folder.kept) as KeptRun) : undefined;
}

/** Removes the kept state when a run is resumed. If its process dies, it cannot be resumed again. */
export function forgetKept(folder: RunFolder): void {
  removeForGood(folder.kept);
}

/**
 * The nodes of a plan that need not run again.
 * @returns `obstacle`: why the run cannot be resumed, as a continuation of "run X cannot be resumed: "; undefined when
 * it can.
 */
export function nodesDone(kept: KeptRun, plan: Plan): { done: Map<string, Ended>; obstacle?: string } {
  const done = new Map<string, Ended>();
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  for (const [id, { definition, hasSecrets, ...ended }] of Object.entries(kept.nodes)) {
    const node = nodes.get(id);
    if (node === undefined) return { done, obstacle: `task "${id}" succeeded, but is no longer part of the recipe` };
    if (definitionOf(node.task) !== definition) return { done, obstacle: `task "${id}" succeeded, but it or a value it reads has changed since` };
    if (hasSecrets) return { done, obstacle: `task "${id}" has a secret output, which is not saved` };
    // Version 0.1.0 wrote "done".
    done.set(id, (ended.outcome as string) === 'done' ? { ...ended, outcome: 'succeeded' } : ended);
  }
  for (const { id, uses } of plan.tasks.values()) {
    const gone = done.has(id) ? undefined : [...uses].find((resource) => done.has(`${resource}.released`));
    if (gone !== undefined) return { done, obstacle: `task "${id}" uses "${gone}", which is already released` };
  }
  return { done };
}
