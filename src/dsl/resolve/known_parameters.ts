import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { messagesOf } from '../diagnostics/schema_errors.js';
import { evaluate, type Facts, valueOf } from '../evaluate.js';
import type { Language, SchemaError } from '../recipe/kind.js';
import type { Module } from '../recipe/module.js';
import { referencesIn, type Value } from '../syntax/values.js';
import type { LinkedTask } from './link.js';
import { factsBefore, isSureToRun, type KnownBefore } from './matrix.js';
import { bindingOf } from './names.js';

/**
 * The errors in parameters of kinds that come from inputs and variables, as far as the values are known before the run.
 * Each error is at the value that the user wrote, even if a library passes it on to the kind.
 */
export function unfitParameters(tasks: Iterable<LinkedTask>, known: KnownBefore, language: Language): Diagnostic[] {
  const facts = factsBefore(known);
  return [...tasks].flatMap((linked) => {
    const { task, module } = linked;
    if (task.action.type !== 'kind' || !isSureToRun(linked, known)) return [];
    const { kind } = task.action;
    return [...task.action.with].flatMap(([name, value]) => {
      // The schema of the recipe has checked the others.
      if (referencesIn(value).length === 0) return [];
      const plain = valueIfKnown(value, module, facts) ?? null;
      if (plain === null) return [];
      const errors = language.validateParams(kind.name, { [name]: structuredClone(plain) });
      const kept = messagesOf(errors);
      const ofValue = errors.filter((error) => error.instancePath.startsWith(`/${name}`) && kept.includes(messagesOf([error])[0] ?? ''));
      return ofValue.map((error) => diagnosticOf(error, kind.name, value, module, facts));
    });
  });
}

function valueIfKnown(value: Value, module: Module, facts: Facts): unknown {
  try {
    return evaluate(value, module, facts);
  } catch {
    return undefined;
  }
}

/** Where a value comes from: the place that the user wrote, and the input that carries it. */
interface Origin {
  readonly value: Value | undefined;
  readonly input?: { readonly module: Module; readonly name: string } | undefined;
}

function diagnosticOf(error: SchemaError, kind: string, value: Value, module: Module, facts: Facts): Diagnostic {
  const [message = ''] = messagesOf([{ ...error, instancePath: '' }]);
  const { value: written, input } = originOf(value, module, facts);
  const [parameter, ...path] = error.instancePath.slice(1).split('/');
  const inner = written && deepest(written, path);
  const inside = path.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`)).join('');
  const subject = input !== undefined ? `input "${input.name}${inside}"` : inside === '' ? 'the value' : `"${parameter}${inside}"`;
  return {
    code: 'input',
    message: `${subject}${message.startsWith('must ') ? '' : ':'} ${message}`,
    span: inner?.at.document.spanOf(inner.at.pointer),
    help: input?.module.recipe.inputs.get(input.name)?.description,
    notes: [{ message: `passed to "${parameter}" of ${kind}`, span: value.at.document.spanOf(value.at.pointer) }],
  };
}

/** Follows a value to the place where it was written, through inputs, outputs and variables of libraries. */
function originOf(value: Value, module: Module, facts: Facts, input?: Origin['input']): Origin {
  const plain = valueIfKnown(value, module, facts);
  const references = referencesIn(value);
  // With several names, as in {{ default a b }}, the one that provides the value.
  const reference = references.find((each) => valueIfKnown(valueOf(each, value), module, facts) === plain) ?? references[0];
  const binding = reference && bindingOf(reference, module);
  if (value.type !== 'template' || binding === undefined || binding.type === 'unresolved' || binding.rest.length > 0) return { value, input };
  if (binding.type === 'expression') return originOf(binding.value, binding.module, facts, binding.input ?? input);
  if (binding.type === 'var' && !binding.variable.sh) return originOf(binding.variable.value, binding.module, facts, input);
  if (binding.type !== 'input') return { value, input };
  const { recipe, parent } = binding.module;
  const preset = recipe.inputs.get(binding.name)?.default;
  const isDefault = parent !== undefined || JSON.stringify(preset) === JSON.stringify(facts.inputs.get(binding.name));
  const at = { document: recipe.document, pointer: `/inputs/${binding.name}/default` };
  return { value: isDefault ? { type: 'literal', value: preset, at } : undefined, input: { module: binding.module, name: binding.name } };
}

/** The value at a path inside another, as far as it is written out. */
function deepest(value: Value, path: readonly string[]): Value {
  const [step, ...rest] = path;
  const inner = step === undefined ? undefined : value.type === 'map' ? value.entries.get(step) : value.type === 'list' ? value.items[Number(step)] : undefined;
  return inner === undefined ? value : deepest(inner, rest);
}
