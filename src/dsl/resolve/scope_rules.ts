import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Module } from '../recipe/module.js';
import { limits } from '../syntax/limits.js';
import { pathText, type Reference } from '../syntax/template.js';
import type { ArgumentShape } from '../syntax/template_helpers.js';
import { onlyReferenceIn, referencesIn, type Value } from '../syntax/values.js';
import { type Binding, bindingOf } from './names.js';

/** What a place in a recipe may use. */
export interface Allowed {
  readonly tasks: boolean;
  readonly secrets: boolean;
  /** The name of the place in messages, e.g. `"if"`. */
  readonly place: string;
}

/** Checks every name in a value: it must exist, and be allowed in this place. */
export function checkValue(
  value: Value,
  module: Module,
  allowed: Allowed,
  env: (name: string) => boolean,
  diagnostics: Diagnostic[],
  known: KnownTraits = new Map(),
): void {
  for (const reference of referencesIn(value)) {
    const binding = bindingOf(reference, module);
    const report = (code: Diagnostic['code'], message: string, help?: string) => diagnostics.push({ code, message, span: reference.span, help });
    if (binding.type === 'unresolved') report(binding.code, binding.message, binding.help);
    else if (binding.type === 'env' && !reference.optional && !env(binding.name)) {
      report('not-set', `"env.${binding.name}" is not set`, `set it, or write {{ default env.${binding.name} "…" }}`);
    } else {
      const outcome = traits(binding, known);
      if (outcome.depth > limits.chain) report('limit', `at most ${limits.chain} names refer to each other in a row`);
      else if (outcome.cycle) report('cycle', `"${pathText(reference.path)}" refers to itself`, 'remove one of the references between them');
      else if (outcome.tasks && !allowed.tasks)
        report(
          'too-early',
          `${allowed.place} cannot use tasks: it must be known before the first one runs`,
          `write {{ ${pathText(reference.path)} }} in the task that needs it`,
        );
      else if (outcome.secret && !allowed.secrets)
        report('secret', `a secret cannot be used in ${allowed.place}`, 'use it in "run", "env" or the "with" of an include');
      else checkShape(binding, reference, report);
    }
  }
}

function checkShape(
  binding: Binding,
  { path, inText, argument }: Reference,
  report: (code: 'type' | 'unknown-name', message: string, help?: string) => void,
): void {
  const shape = shapeOf(binding);
  const name = pathText(path);
  if (shape === 'text' && binding.rest.length > 0) {
    const whole = pathText(path.slice(0, -binding.rest.length));
    report('unknown-name', `"${name}": there is no "${binding.rest[0]}" in "${whole}", which is text`, `write {{ ${whole} }}`);
  } else if ((shape === 'list' || shape === 'map') && binding.rest.length === 0 && inText) {
    report(
      'type',
      `"${name}" is a ${shape}, which cannot be inserted into text`,
      shape === 'list' ? `write {{ quote ${name} }} for shell words; or {{ join ${name} " " }}, {{ json ${name} }}` : `write {{ json ${name} }}`,
    );
  } else if (shape !== undefined && binding.rest.length === 0 && argument !== undefined && !fits[argument.takes].includes(shape)) {
    const { helper, takes } = argument;
    report(
      'type',
      `"${helper}" takes ${takes === 'list' ? 'a list or text' : takes === 'map' ? 'maps' : 'text'}, and "${name}" is ${shape === 'text' ? 'text' : `a ${shape}`}`,
      shape === 'list' && takes === 'text' ? `write {{ ${helper} (join ${name} " ") }}` : shape === 'map' ? `{{ json ${name} }} is its text` : undefined,
    );
  }
}

/** The types that each sort of argument allows. */
const fits: Readonly<Record<ArgumentShape, readonly Shape[]>> = {
  any: ['text', 'list', 'map'],
  text: ['text'],
  list: ['list', 'text'],
  map: ['map'],
};

type Shape = 'text' | 'list' | 'map';

/** The shape of a value before it is known, without `rest`; undefined if unknown. */
export function shapeOf(binding: Binding, depth = 0): Shape | undefined {
  // Variables that refer to each other endlessly have their own error.
  if (depth > 20) return undefined;
  const declared = (type: unknown) =>
    type === 'list' || type === 'array' ? 'list' : type === 'map' || type === 'object' ? 'map' : typeof type === 'string' ? 'text' : undefined;
  switch (binding.type) {
    case 'run':
      return binding.fact === 'arguments' ? 'list' : 'text';
    case 'env':
      return 'text';
    case 'input':
      return declared(binding.module.recipe.inputs.get(binding.name)?.type);
    case 'var':
      return binding.variable.sh ? 'text' : shapeOfValue(binding.variable.value, binding.module, depth);
    case 'expression':
      return binding.input ? declared(binding.input.module.recipe.inputs.get(binding.input.name)?.type) : shapeOfValue(binding.value, binding.module, depth);
    case 'matrix':
      return Array.isArray(binding.value) ? 'list' : undefined;
    case 'task': {
      const { action } = binding.task;
      if (binding.list) return 'list';
      if (action.type === 'run') return declared(action.outputs.get(binding.output)?.type ?? 'string');
      return action.type === 'kind' ? declared((action.kind.outputs.properties[binding.output] as { type?: unknown } | undefined)?.type) : undefined;
    }
  }
}

function shapeOfValue(value: Value, module: Module, depth: number): Shape | undefined {
  if (value.type === 'list' || value.type === 'map') return value.type;
  const reference = onlyReferenceIn(value);
  const binding = reference && bindingOf(reference, module);
  return binding === undefined || binding.type === 'unresolved' || binding.rest.length > 0 ? undefined : shapeOf(binding, depth + 1);
}

/** Whether what a name means comes from a secret. */
export function isSecret(binding: Binding): boolean {
  return traits(binding).secret;
}

/** A `{sh: …}` variable, and its module. */
export interface CommandVariable {
  readonly module: Module;
  readonly name: string;
  readonly command: Value;
}

/** The `{sh: …}` variables a value reads, each after those its command reads. */
export function commandVariablesIn(value: Value, module: Module, seen = new Set<Value>()): CommandVariable[] {
  if (seen.has(value)) return [];
  seen.add(value);
  return referencesIn(value).flatMap((reference) => {
    const binding = bindingOf(reference, module);
    switch (binding.type) {
      case 'expression':
        return commandVariablesIn(binding.value, binding.module, seen);
      case 'env': {
        const inner = binding.module.recipe.env.get(binding.name);
        return inner === undefined ? [] : commandVariablesIn(inner, binding.module, seen);
      }
      case 'var': {
        const { variable, name } = binding;
        const inner = commandVariablesIn(variable.value, binding.module, seen);
        return variable.sh ? [...inner, { module: binding.module, name, command: variable.value }] : inner;
      }
      default:
        return [];
    }
  });
}

interface Traits {
  readonly tasks: boolean;
  readonly secret: boolean;
  cycle: boolean;
  /** How many names refer to each other in a row; Infinity if there are too many to follow. */
  readonly depth: number;
}

/** Results for visited values: each is visited once, however often it is named. */
export type KnownTraits = Map<Value, Traits>;

/** The meaning of a name, with everything it refers to. */
function traits(binding: Binding, known: KnownTraits = new Map()): Traits {
  return new Search(known).follow(binding, 0).traits;
}

/** Tarjan's search for cycles among values. */
class Search {
  /** The values being visited, and those of cycles that are not complete yet. */
  private readonly open: { readonly value: Value; readonly env: boolean }[] = [];
  private readonly places = new Map<Value, number>();

  constructor(private readonly known: KnownTraits) {}

  /** `low`: the first of the open values that the binding leads back to. */
  follow(binding: Binding, depth: number): { traits: Traits; low: number } {
    const found: Traits = { tasks: binding.type === 'task', secret: isDeclaredSecret(binding), cycle: false, depth: 0 };
    const behind = valueBehind(binding);
    if (behind === undefined) return { traits: found, low: Infinity };
    const { value, module } = behind;
    const before = this.known.get(value);
    if (before !== undefined) return { traits: together(found, before), low: Infinity };
    const opened = this.places.get(value);
    if (opened !== undefined) return { traits: found, low: opened };
    if (depth > limits.chain) return { traits: { ...found, depth: Infinity }, low: Infinity };
    const self = this.open.push({ value, env: binding.type === 'env' }) - 1;
    this.places.set(value, self);
    let inside: Traits = { tasks: false, secret: false, cycle: false, depth: 0 };
    let low = Infinity;
    for (const reference of referencesIn(value)) {
      const next = bindingOf(reference, module);
      if (next.type === 'unresolved') continue;
      const followed = this.follow(next, depth + 1);
      inside = together(inside, { ...followed.traits, depth: followed.traits.depth + 1 });
      low = Math.min(low, followed.low);
    }
    if (low < self) return { traits: together(found, inside), low };
    const circle = this.open.splice(self);
    // A variable of `env` inside itself means the program's own variable.
    if (low === self && circle.some(({ env }) => !env)) inside.cycle = true;
    for (const { value: member } of circle) {
      this.places.delete(member);
      this.known.set(member, inside);
    }
    return { traits: together(found, inside), low: Infinity };
  }
}

function together(a: Traits, b: Traits): Traits {
  return { tasks: a.tasks || b.tasks, secret: a.secret || b.secret, cycle: a.cycle || b.cycle, depth: Math.max(a.depth, b.depth) };
}

function isDeclaredSecret(binding: Binding): boolean {
  if (binding.type === 'task') return binding.task.action.type === 'run' && (binding.task.action.outputs.get(binding.output)?.secret ?? false);
  const input = binding.type === 'input' ? binding : binding.type === 'expression' ? binding.input : undefined;
  return input?.module.recipe.inputs.get(input.name)?.secret ?? false;
}

/** The value that a name means, and the module in which to look up the names in it. */
function valueBehind(binding: Binding): { value: Value; module: Module } | undefined {
  if (binding.type !== 'var' && binding.type !== 'env' && binding.type !== 'expression') return undefined;
  const { module } = binding;
  const value = binding.type === 'var' ? binding.variable.value : binding.type === 'env' ? module.recipe.env.get(binding.name) : binding.value;
  return value && { value, module };
}
