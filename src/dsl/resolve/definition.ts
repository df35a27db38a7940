import { createHash } from 'node:crypto';
import type { Module } from '../recipe/module.js';
import { referencesIn, type Value } from '../syntax/values.js';
import type { LinkedTask } from './link.js';
import { type Binding, bindingOf, type Unresolved } from './names.js';

/**
 * A hash of everything that defines a task, as written: the task itself with its script files, its values from
 * `defaults`, and everything its templates read, directly or indirectly, in `vars`, `env`, matrices and the `with` of includes.
 */
export function definitionOf(linked: LinkedTask): string {
  const { task, in: chroot } = linked;
  const { tasks } = task.at.document.value as { tasks?: Record<string, unknown> };
  const shell = task.action.type === 'run' ? task.action.shell : undefined;
  return createHash('sha256')
    .update(JSON.stringify([tasks?.[task.name], chroot, shell, task.timeoutMs, task.retries, readBy(linked)]))
    .digest('hex')
    .slice(0, 16);
}

/** Every value that a run may come to evaluate for a task. */
export function valuesOf({ task, module }: LinkedTask): Value[] {
  const { action, preconditions, freshness } = task;
  const hasEnvironment = action.type === 'run' || preconditions.length > 0;
  return [
    task.if,
    ...preconditions.flatMap(({ sh, message }) => [sh, message]),
    ...(freshness === undefined ? [] : [...freshness.sources, ...freshness.generates, ...freshness.status]),
    ...(action.type === 'kind' ? action.with.values() : []),
    ...(action.type === 'run' ? [action.script, action.dir, action.undo?.script, ...action.env.values()] : []),
    ...(hasEnvironment ? module.recipe.env.values() : []),
  ].filter((value) => value !== undefined);
}

/** The values of a task and those that they read, each once. */
function readBy(linked: LinkedTask): unknown[] {
  const found: unknown[] = [];
  const seen = new Set<Value>();
  const visit = (value: Value, module: Module): void => {
    if (seen.has(value)) return;
    seen.add(value);
    found.push(written(value));
    for (const reference of referencesIn(value)) follow(bindingOf(reference, module));
  };
  const follow = (binding: Binding | Unresolved): void => {
    switch (binding.type) {
      case 'var':
        found.push(binding.variable.sh);
        return visit(binding.variable.value, binding.module);
      case 'env': {
        const declared = binding.module.recipe.env.get(binding.name);
        return declared && visit(declared, binding.module);
      }
      case 'expression':
        return visit(binding.value, binding.module);
      case 'input':
        // The inputs of the top-level recipe are saved with the run.
        if (binding.module.parent !== undefined) found.push(binding.module.recipe.inputs.get(binding.name)?.default);
        return;
      case 'matrix':
        found.push(binding.value);
    }
  };
  for (const value of valuesOf(linked)) visit(value, linked.module);
  return found;
}

function written(value: Value): unknown {
  switch (value.type) {
    case 'literal':
      return value.value;
    case 'template':
      return value.template.text;
    case 'list':
      return value.items.map(written);
    case 'map':
      return [...value.entries].map(([name, entry]) => [name, written(entry)]);
  }
}
