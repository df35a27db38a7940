import { existsSync } from 'node:fs';
import type { Facts } from '../../dsl/evaluate.js';
import type { Plan } from '../../dsl/plan/plan.js';
import { definitionOf } from '../../dsl/resolve/definition.js';
import { removeForGood, writeWhole } from '../../linux/atomic_write.js';
import { readJson } from '../../linux/read_json.js';
import type { NodeOutcome } from '../engine/events.js';
import { holdsSecrets } from '../engine/script_outputs.js';
import type { Redactor } from '../output/redactor.js';
import type { RunFolder } from './run_folder.js';

/** How a node of the plan ended before, and what it gave. */
export interface Ended {
  readonly outcome: NodeOutcome;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A run that failed and was kept: all that it takes to go on with it. No secrets. */
export interface KeptRun {
  /** The recipe as it was named, and the folder that name is relative to. */
  readonly recipe: string;
  readonly folder: string;
  readonly goals: readonly string[];
  /** Values of inputs that are no secrets. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly facts: Facts['run'];
  readonly commandOutputs: Readonly<Record<string, string>>;
  /** Whether it lives in a mount namespace of its own, which is kept too. */
  readonly sandbox: boolean;
  /** What a `definition` covers; absent in runs that versions before kept, which cover less. */
  readonly definitions?: number;
  /** The nodes that ended well. */
  readonly nodes: Readonly<Record<string, Ended & { readonly definition: string; readonly hasSecrets: boolean }>>;
}

/** Goes up when {@link definitionOf} covers something else. */
const definitions = 2;

/** Whether another version kept a run, whose definitions cannot be compared with those of this one. */
export function isOfOtherVersion(kept: KeptRun): boolean {
  return kept.definitions !== definitions;
}

/** Writes down a kept run. */
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

/** What was kept of a run; undefined when nothing was. */
export function readKept(folder: RunFolder): KeptRun | undefined {
  return existsSync(folder.kept) ? (readJson(folder.kept) as KeptRun) : undefined;
}

/** From here on a kept run is one that goes on: when it dies, it is not gone on with again. */
export function forgetKept(folder: RunFolder): void {
  removeForGood(folder.kept);
}

/**
 * The nodes of a plan that need not run again.
 * @returns what is in the way, in words that follow "run X cannot be resumed: "; undefined when nothing is.
 */
export function nodesDone(kept: KeptRun, plan: Plan): { done: Map<string, Ended>; obstacle?: string } {
  const done = new Map<string, Ended>();
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  for (const [id, { definition, hasSecrets, ...ended }] of Object.entries(kept.nodes)) {
    const node = nodes.get(id);
    if (node === undefined) return { done, obstacle: `task "${id}" was done, and is not part of the recipe any more` };
    if (definitionOf(node.task) !== definition) return { done, obstacle: `task "${id}" succeeded, and it or a value it reads has changed since` };
    if (hasSecrets) return { done, obstacle: `task "${id}" gave a secret, which is not kept` };
    // Runs kept by version 0.1.0 have the word of that version.
    done.set(id, (ended.outcome as string) === 'done' ? { ...ended, outcome: 'succeeded' } : ended);
  }
  for (const { id, uses } of plan.tasks.values()) {
    const gone = done.has(id) ? undefined : [...uses].find((resource) => done.has(`${resource}.released`));
    if (gone !== undefined) return { done, obstacle: `task "${id}" uses "${gone}", which is released already` };
  }
  return { done };
}
