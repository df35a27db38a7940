import { placeOf } from './diagnostics/diagnostic.js';
import { asType, errorOfInput, type InputDeclaration, placed } from './recipe/inputs.js';
import { folderOf, type Module } from './recipe/module.js';
import { type Binding, bindingOf, type RunFact } from './resolve/names.js';
import { isSecret } from './resolve/scope_rules.js';
import { limits, limitText } from './syntax/limits.js';
import { parseTemplate, pathText, type Reference } from './syntax/template.js';
import { onlyReferenceIn, referencesIn, render, type Value } from './syntax/values.js';

/** What is known during a run. */
export interface Facts {
  readonly run: Readonly<Record<RunFact, string | readonly string[]>>;
  /** Inputs of the recipe that is run, by name. */
  readonly inputs: ReadonlyMap<string, unknown>;
  /** The program's own environment. */
  environment(name: string): string | undefined;
  /** What the command of a `{sh: …}` variable printed. */
  commandOutput(module: Module, name: string): unknown;
  /** An output of a task that has ended; null where it was skipped. */
  output(task: string, name: string): unknown;
  /** Receives every rendered value that contains a secret. */
  secret(value: unknown): void;
}

/**
 * The plain value of a recipe's value in a module.
 * @throws Error naming the place, when a name has no value or a library's input gets an unfit one.
 */
export function evaluate(value: Value, module: Module, facts: Facts): unknown {
  return new Evaluation(facts, value).value(value, module);
}

/** The outputs of tasks that a value reads and that are null, as `task.output`. */
export function nullOutputsIn(value: Value, module: Module, facts: Facts, seen = new Set<Value>()): string[] {
  if (seen.has(value)) return [];
  seen.add(value);
  return referencesIn(value).flatMap((reference) => {
    const binding = bindingOf(reference, module);
    if (binding.type === 'task') return binding.ids.filter((id) => facts.output(id, binding.output) === null);
    return binding.type === 'expression' ? nullOutputsIn(binding.value, binding.module, facts, seen) : [];
  });
}

class Evaluation {
  /** Whether a secret was read since this was last set to false. */
  private secret = false;
  /** How many values were read. */
  private reads = 0;
  /** Rendered values, each rendered once, and whether a secret went into it. */
  private readonly made = new Map<Value, { readonly value: unknown; readonly secret: boolean }>();
  /** Variables of `env` that were read inside themselves, which means the program's own variable. */
  private readonly own = new Set<Value>();
  private readonly sizes = new Map<object, number>();

  constructor(
    private readonly facts: Facts,
    whole: Value,
  ) {
    // Inside a variable of `env`, its own name means the program's variable: PATH may be built from PATH.
    this.openEnv = new Set([whole]);
  }

  value(value: Value, module: Module): unknown {
    const secrets = new Set<Reference>();
    try {
      const rendered = render(
        value,
        (reference) => {
          const outer = this.secret;
          this.secret = false;
          const result = this.reference(reference, module);
          if (this.secret) secrets.add(reference);
          this.secret ||= outer;
          return result;
        },
        (result, references) => {
          if (references.some((reference) => secrets.has(reference))) this.facts.secret(result);
        },
      );
      if (value.type !== 'literal' && this.sizeOf(rendered) > limits.rendered) throw new Error(tooLarge);
      return rendered;
    } catch (error) {
      if (error instanceof PlacedError) throw error;
      throw new PlacedError(`${placeOf(value.at.document.spanOf(value.at.pointer))}: ${error instanceof RangeError ? tooLarge : (error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** The value behind a name. */
  private shared(value: Value, module: Module): unknown {
    const known = this.made.get(value);
    if (known !== undefined) {
      this.secret ||= known.secret;
      return known.value;
    }
    const outer = this.secret;
    this.secret = false;
    const made = { value: this.value(value, module), secret: this.secret };
    this.secret ||= outer;
    this.own.delete(value);
    // Otherwise its value depends on where it is read.
    if (this.own.size === 0) this.made.set(value, made);
    return made.value;
  }

  /** The approximate number of characters of a value; a value in several places counts in each. */
  private sizeOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value.length : 1;
    let size = this.sizes.get(value);
    if (size === undefined) {
      size = Object.values(value).reduce<number>((sum, inner) => sum + this.sizeOf(inner), 1);
      this.sizes.set(value, size);
    }
    return size;
  }

  private reference(reference: Reference, module: Module): unknown {
    this.reads += 1;
    if (this.reads > limits.reads) throw new Error(`rendering it reads more than ${limitText(limits.reads)} values`);
    const binding = bindingOf(reference, module);
    if (binding.type === 'unresolved') throw new Error(binding.message);
    const value = into(this.binding(binding, module), binding.rest, reference);
    if (value === undefined && !reference.optional) throw new Error(`"${pathText(reference.path)}" has no value`);
    return value;
  }

  private binding(binding: Binding, module: Module): unknown {
    const { facts } = this;
    switch (binding.type) {
      case 'run':
        return facts.run[binding.fact];
      case 'env': {
        const declared = module.recipe.env.get(binding.name);
        const inside = declared !== undefined && this.openEnv.has(declared);
        if (inside) this.own.add(declared);
        if (declared === undefined || inside) return facts.environment(binding.name);
        this.openEnv.add(declared);
        try {
          return this.shared(declared, module);
        } finally {
          this.openEnv.delete(declared);
        }
      }
      case 'input': {
        const declared = binding.module.recipe.inputs.get(binding.name);
        const value = binding.module.parent === undefined ? facts.inputs.get(binding.name) : ownDefault(declared, binding.module);
        if (declared?.secret) this.markSecret(value);
        return value;
      }
      case 'var': {
        if (!binding.variable.sh) return this.shared(binding.variable.value, binding.module);
        const output = facts.commandOutput(binding.module, binding.name);
        if (isSecret(binding)) this.markSecret(output);
        return output;
      }
      case 'expression':
        return this.given(this.shared(binding.value, binding.module), binding);
      case 'matrix':
        return binding.value;
      case 'task': {
        const all = binding.ids.map((id) => facts.output(id, binding.output));
        const value = binding.list ? all : all[0];
        const { action } = binding.task;
        if (action.type === 'run' && action.outputs.get(binding.output)?.secret) this.markSecret(value);
        return value;
      }
    }
  }

  private readonly openEnv: Set<Value>;

  /** What an include sets for an input, checked against the library's declaration. */
  private given(value: unknown, { input, module, value: { at } }: Extract<Binding, { type: 'expression' }>): unknown {
    const declared = input?.module.recipe.inputs.get(input.name);
    if (input === undefined || declared === undefined || value === null) return value;
    const typed = asType(value, declared.type);
    if (declared.secret) this.markSecret(typed);
    const error = errorOfInput(typed, declared);
    if (error !== undefined) {
      throw new PlacedError(`${placeOf(at.document.spanOf(at.pointer))}: input "${input.name}" of "${input.module.namespace}" ${error}`);
    }
    return placed(typed, declared, folderOf(module));
  }

  private markSecret(value: unknown): void {
    // A missing value hides nothing.
    if (value === null || value === undefined) return;
    this.secret = true;
    this.facts.secret(value);
  }
}

/** The value of a library's input that the include does not set. */
function ownDefault(declared: InputDeclaration | undefined, module: Module): unknown {
  return declared?.default === undefined ? null : placed(declared.default, declared, folderOf(module));
}

class PlacedError extends Error {}

const tooLarge = `a value has at most ${limitText(limits.rendered)} characters when its templates are rendered`;

function into(value: unknown, rest: readonly string[], reference: Reference): unknown {
  let at = value;
  for (const step of rest) {
    if (at === null || at === undefined) return at;
    if (typeof at !== 'object' || !Object.hasOwn(at, step)) {
      if (reference.optional) return undefined;
      throw new Error(`"${pathText(reference.path)}": unknown key "${step}"`);
    }
    at = (at as Record<string, unknown>)[step];
  }
  return at;
}

/**
 * A value with its references resolved, ready to be written to disk: it contains no secrets, only the names of the
 * inputs they come from. `lost` names values that cannot be restored after the run.
 */
export interface Sealed {
  /** A template, or (`plain`) a text without any. */
  readonly text: string | null;
  readonly plain: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly lost: readonly string[];
}

/** Seals a value; see {@link Sealed}. */
export function seal(value: Value, module: Module, facts: Facts): Sealed {
  if (value.type === 'literal') return { text: value.value === null ? null : String(value.value), plain: true, values: {}, secrets: {}, lost: [] };
  const values: Record<string, unknown> = {};
  const secrets: Record<string, string> = {};
  const lost: string[] = [];
  for (const reference of referencesIn(value)) {
    const name = reference.path.join('.');
    const input = secretInput(reference, module);
    let secret = false;
    const single = valueOf(reference, value);
    const result = new Evaluation({ ...bound(facts), secret: () => (secret = true) }, single).value(single, module);
    if (input !== undefined) secrets[name] = input;
    else if (secret) lost.push(name);
    else values[name] = result;
  }
  return { text: value.type === 'template' ? value.template.text : '', plain: false, values, secrets, lost };
}

/**
 * The text of a sealed value.
 * @param secret returns the value of a secret input of the recipe that was run.
 * @throws Error when a secret is missing.
 */
export function unseal(sealed: Sealed, secret: (input: string) => string | undefined): string | null {
  if (sealed.plain) return sealed.text;
  if (sealed.lost.length > 0) throw new Error(`it needs ${sealed.lost.join(', ')}, a secret that was not kept`);
  const { template } = parseTemplate(sealed.text ?? '');
  const text = template?.render((reference) => {
    const name = reference.path.join('.');
    const input = sealed.secrets[name];
    if (input === undefined) return sealed.values[name];
    const value = secret(input);
    if (value === undefined) throw new Error(`it needs the secret input "${input}": set it with -i ${input}=…`);
    return value;
  });
  return text === null || text === undefined ? null : String(text);
}

/** The secret input of the outermost recipe that a reference leads to by plain names only. */
function secretInput(reference: Reference, module: Module): string | undefined {
  const binding = bindingOf(reference, module);
  if (binding.type === 'unresolved' || binding.rest.length > 0) return undefined;
  if (binding.type === 'input' && binding.module.parent === undefined) {
    return binding.module.recipe.inputs.get(binding.name)?.secret ? binding.name : undefined;
  }
  const value = binding.type === 'expression' ? binding.value : binding.type === 'var' && !binding.variable.sh ? binding.variable.value : undefined;
  const single = value && onlyReferenceIn(value);
  return single && secretInput(single, (binding as { module: Module }).module);
}

/** A reference inside a value as a value of its own. */
export function valueOf(reference: Reference, value: Value): Value {
  const path = pathText(reference.path);
  const { template } = parseTemplate(`{{ ${reference.optional ? `default ${path} null` : path} }}`);
  return template === undefined ? value : { type: 'template', template, at: value.at };
}

function bound(facts: Facts): Facts {
  return {
    run: facts.run,
    inputs: facts.inputs,
    environment: (name) => facts.environment(name),
    commandOutput: (module, name) => facts.commandOutput(module, name),
    output: (task, name) => facts.output(task, name),
    secret: (value) => facts.secret(value),
  };
}
