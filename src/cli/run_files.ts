import { join, resolve } from 'node:path';
import { writeWhole } from '../linux/atomic_write.js';
import type { RunEvent } from '../runtime/engine/events.js';
import type { Redactor } from '../runtime/output/redactor.js';
import type { PreparedRun } from './prepared_run.js';
import { planJson } from './reports/plan.js';
import type { ManifestJson } from './schemas/manifest.js';
import { printError } from './terminal/output.js';

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** Writes the recipe, the inputs and the plan to the run's folder, for later reference. */
export function writeInputs({ folder, loaded, plan, inputs }: PreparedRun, redactor: Redactor): void {
  const write = (name: string, text: string) => writeWhole(join(folder.path, name), text);
  write('recipe.yml', redactor.redact(loaded.module.recipe.document.source.text));
  const shown = [...inputs].map(([name, value]) => [name, loaded.module.recipe.inputs.get(name)?.secret && value !== null ? '***' : value]);
  write('inputs.json', `${JSON.stringify(redactor.redactValue(Object.fromEntries(shown)), undefined, 2)}\n`);
  write('plan.json', `${JSON.stringify(redactor.redactValue(planJson(plan)), undefined, 1)}\n`);
}

/** Writes what a run created, after printing it: the run has succeeded even if writing fails. */
export function writeOutputs({ folder, loaded }: PreparedRun, manifest: string | undefined, started: Date, { outputs, artifacts }: Finished): void {
  const made: ManifestJson = {
    version: 1,
    run: folder.id,
    recipe: loaded.file,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    outputs,
    artifacts: [...artifacts],
  };
  for (const [file, content, mode] of [
    [join(folder.path, 'outputs.json'), outputs, 0o600],
    // For later steps of a build, which may not be root.
    ...(manifest === undefined ? [] : [[resolve(manifest), made, 0o666] as const]),
  ] as const) {
    try {
      writeWhole(file, `${JSON.stringify(content, undefined, 2)}\n`, mode);
    } catch (error) {
      printError(`warning: ${file} cannot be written: ${(error as Error).message}`);
    }
  }
}
