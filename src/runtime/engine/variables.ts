import { placeOf } from '../../dsl/diagnostics/diagnostic.js';
import { evaluate } from '../../dsl/evaluate.js';
import type { Plan } from '../../dsl/plan/plan.js';
import { folderOf, type Module } from '../../dsl/recipe/module.js';
import { valuesOf } from '../../dsl/resolve/definition.js';
import { type CommandVariable, commandVariablesIn } from '../../dsl/resolve/scope_rules.js';
import type { Value } from '../../dsl/syntax/values.js';
import type { Execution } from './execution.js';
import { definedOf } from './script_environment.js';

/** Runs the commands of `{sh: …}` variables that the plan uses. Each runs after those that it uses itself. */
export async function runCommandVariables(execution: Execution, signal: AbortSignal): Promise<void> {
  const { plan, facts } = execution;
  for (const [value, module] of valuesIn(plan)) {
    for (const { module: owner, name, command } of commandVariablesIn(value, module)) {
      if (facts.commandOutput(owner, name) === undefined)
        facts.setCommandOutput(owner, name, await commandVariable(execution, { module: owner, name, command }, signal));
    }
  }
}

async function commandVariable({ facts, host }: Execution, { module, name, command }: CommandVariable, signal: AbortSignal): Promise<string> {
  const text = String(evaluate(command, module, facts));
  const place = placeOf(command.at.document.spanOf(command.at.pointer));
  try {
    // Pass it in the environment: any user can read the arguments of a process.
    const output = await host.shell.run(['/bin/sh', '-e', '-c', 'eval "$CHROOTFILE_COMMAND"'], {
      cwd: folderOf(module),
      env: { ...definedOf(facts.variables), CHROOTFILE_COMMAND: text },
      shownAs: ['sh', '-c', text],
      signal,
    });
    return output.trimEnd();
  } catch (error) {
    throw new Error(`${place}: variable "${name}": ${(error as Error).message}`, { cause: error });
  }
}

/** Every value that a run of the plan may evaluate, with the module that contains it. */
function valuesIn({ module, tasks }: Plan): (readonly [Value, Module])[] {
  const outputs = [...module.recipe.outputs.values()].map((value) => [value, module] as const);
  return [...outputs, ...[...tasks.values()].flatMap((task) => valuesOf(task).map((value) => [value, task.module] as const))];
}
