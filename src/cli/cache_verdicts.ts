import { accountOf } from '../aws/account.js';
import type { Plan } from '../dsl/plan/plan.js';
import { EvaluationContext } from '../runtime/engine/evaluation_context.js';
import { chainKeys } from '../runtime/layers/chain_keys.js';
import { LayerRecords } from '../runtime/layers/layer_records.js';
import { restorable } from '../runtime/layers/restorable.js';
import { type Verdict, verdictsOn } from '../runtime/layers/why.js';
import { Redactor } from '../runtime/output/redactor.js';
import { RunFolder } from '../runtime/runs/run_folder.js';
import { type CloudOptions, cloudOf } from './cloud.js';
import { openHostContext } from './host_context.js';
import { inputsOf, type LoadedRecipe } from './recipe_file.js';

/** What a run would be given. */
export interface WouldBeRun extends CloudOptions {
  /** `run.arguments`. */
  readonly arguments: readonly string[];
}

/** Whether a run would take each task that leaves content on volumes from a layer, and why not. */
export async function cacheVerdicts(plan: Plan, loaded: LoadedRecipe, state: string, options: WouldBeRun): Promise<Verdict[]> {
  const records = new LayerRecords(state);
  // Nothing is created for a question.
  if (!records.isMade())
    return plan.chains.flatMap(({ members, later }) => [...members, ...later].map(({ id }) => ({ task: id, cached: false, reason: 'it never succeeded' })));
  const { recipe } = loaded.module;
  const cloud = await cloudOf(recipe.cloud, options, state);
  const opener = openHostContext({ cloud, state, signal: new AbortController().signal, warn: () => {} });
  const ec2 = await opener.disks();
  const place = { ...cloud, region: ec2.region, account: await accountOf(ec2) };
  const folder = new RunFolder(state, 'why');
  const facts = new EvaluationContext(inputsOf(loaded), process.env, new Redactor(), { folder, started: new Date(), words: options.arguments });
  const sources = { tasks: plan.tasks, facts, hasEnded: () => false, contentFor: () => undefined, hashKey: await records.hashKey() };
  const path = recipe.document.source.path;
  const verdicts: Verdict[] = [];
  for (const chain of plan.chains) {
    const keys = chainKeys(chain, place, sources, (task) => records.lastRun(path, task)?.ingredients ?? []);
    const found = await restorable(chain, keys.keys, { records, recipe, opener });
    verdicts.push(...verdictsOn(chain, keys, found, { records, recipe: path }));
  }
  return verdicts;
}
