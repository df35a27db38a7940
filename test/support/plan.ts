import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, RecipeError } from '../../src/dsl/diagnostics/diagnostic.js';
import { makePlan, type Plan } from '../../src/dsl/plan/plan.js';
import { type Libraries, loadModule, type Module } from '../../src/dsl/recipe/module.js';
import { type LinkedTask, linkModule } from '../../src/dsl/resolve/link.js';
import { language } from '../../src/tasks/language.js';
import { repository } from './program.js';

const onDisk: Libraries = {
  read: (path) => readFileSync(path, 'utf8'),
  builtIn: join(repository, 'recipes/lib'),
  resolvePackage: (name) => {
    throw new Error(`no package ${name}`);
  },
  show: (path) => path,
};

/** A recipe of the disk with every name found; inputs have the values given. */
export function linked(
  file: string,
  inputs: Readonly<Record<string, unknown>> = {},
  libraries: Libraries = onDisk,
): { module: Module; tasks: ReadonlyMap<string, LinkedTask> } {
  const { module, diagnostics } = loadModule(file, language, libraries);
  return { module, tasks: linkModule(module, diagnostics, { inputs: new Map(Object.entries(inputs)), environment: () => undefined }) };
}

/** As {@link linked}, of recipe texts by file name, without their first line; `r.yml` is run. */
export function linkedText(files: Readonly<Record<string, string>>, inputs: Readonly<Record<string, unknown>> = {}): ReturnType<typeof linked> {
  const read = (path: string) => {
    const text = files[path.replace(/^\//, '')];
    if (text === undefined) throw Object.assign(new Error('none'), { code: 'ENOENT' });
    return `version: 1\n${text}`;
  };
  return linked('/r.yml', inputs, { ...onDisk, read });
}

/** The plan of recipe texts by file name; `r.yml` is run. */
export function plan(files: Readonly<Record<string, string>>, goals: readonly string[] = [], inputs: Readonly<Record<string, unknown>> = {}): Plan {
  const { module, tasks } = linkedText(files, inputs);
  return makePlan(module, tasks, goals);
}

/** The faults of recipe texts; `r.yml` is run. */
export function faultsOf(files: Readonly<Record<string, string>>, inputs: Readonly<Record<string, unknown>> = {}): readonly Diagnostic[] {
  try {
    plan(files, [], inputs);
    return [];
  } catch (error) {
    if (error instanceof RecipeError) return error.diagnostics;
    throw error;
  }
}
