import { resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.js';
import { hintFor } from './suggest.js';

/** Types of inputs and of the outputs of shell tasks. */
export type ValueType = 'string' | 'path' | 'integer' | 'number' | 'boolean' | 'list' | 'map';

/** An input as a recipe declares it. */
export interface InputDeclaration {
  readonly type: ValueType;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: boolean;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly secret?: boolean;
}

/**
 * Text from a command line, an environment or a script's output, as a value of the type. Lists and maps are JSON.
 * @returns undefined when the text is not of the type.
 */
export function fromText(text: string, type: ValueType): unknown {
  switch (type) {
    case 'string':
    case 'path':
      return text;
    case 'integer':
      return /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined;
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'list':
    case 'map':
      try {
        const value: unknown = JSON.parse(text);
        return isOfType(value, type) ? value : undefined;
      } catch {
        return undefined;
      }
  }
}

/** What is wrong with a value for an input, in words that follow `input "size" `; undefined when nothing is. */
export function faultOfInput(value: unknown, declared: InputDeclaration): string | undefined {
  // A type that is none has its own fault.
  if (!['string', 'path', 'integer', 'number', 'boolean', 'list', 'map'].includes(declared.type)) return undefined;
  if (!isOfType(value, declared.type)) return `must be ${article(declared.type)}`;
  if (declared.enum !== undefined && !declared.enum.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))) {
    return `must be one of ${declared.enum.map((allowed) => JSON.stringify(allowed)).join(', ')}`;
  }
  if (typeof value === 'string' && declared.pattern !== undefined && !new RegExp(declared.pattern, 'u').test(value)) {
    return `must match ${declared.pattern}`;
  }
  if (typeof value === 'number' && declared.minimum !== undefined && value < declared.minimum) return `must be at least ${declared.minimum}`;
  if (typeof value === 'number' && declared.maximum !== undefined && value > declared.maximum) return `must be at most ${declared.maximum}`;
  if (declared.secret && value !== null && typeof value !== 'object' && String(value).length < leastSecret)
    return `is a secret and must have at least ${leastSecret} characters`;
  return undefined;
}

/** Shorter secrets would be found everywhere in logs, and hide nothing. */
export const leastSecret = 4;

/** The value of an input; a path is made absolute, given the folder of the file that says it. */
export function placed(value: unknown, declared: InputDeclaration, folder: string): unknown {
  return declared.type === 'path' && typeof value === 'string' ? resolve(folder, value) : value;
}

/** `a string`, `an integer`, … */
export function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function isOfType(value: unknown, type: ValueType): boolean {
  switch (type) {
    case 'list':
      return Array.isArray(value);
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'path':
      return typeof value === 'string' && value !== '';
    default:
      return typeof value === type;
  }
}

/** Where the values of inputs come from, strongest first. */
export interface InputSources {
  /** `-i name=value`. */
  readonly commandLine: ReadonlyMap<string, string>;
  /** The contents of `--inputs FILE`. */
  readonly file: Readonly<Record<string, unknown>>;
  /** The folder of that file, and of the recipe: what relative paths in them are relative to. */
  readonly folders: { readonly file: string; readonly recipe: string };
  /** The program's environment; asked for `CHROOTFILE_INPUT_NAME`. */
  readonly environment: (name: string) => string | undefined;
}

/** The values of a recipe's inputs; an input without any value is null. Faults are told in words. */
export function resolveInputs(declared: ReadonlyMap<string, InputDeclaration>, sources: InputSources): { values: Map<string, unknown>; faults: Diagnostic[] } {
  const values = new Map<string, unknown>();
  const faults: Diagnostic[] = [];
  const known = [...declared.keys()];
  for (const name of [...sources.commandLine.keys(), ...Object.keys(sources.file)]) {
    if (!declared.has(name))
      faults.push({ code: 'unknown-input', message: `the recipe has no input "${name}"`, help: hintFor(name, known) ?? 'it declares no inputs' });
  }
  for (const [name, input] of declared) {
    const variable = `CHROOTFILE_INPUT_${name.toUpperCase()}`;
    const text = sources.commandLine.get(name);
    const fromEnvironment = sources.environment(variable);
    let value: unknown;
    let origin = '';
    let folder = '.';
    if (text !== undefined) value = fromText(text, input.type);
    else if (Object.hasOwn(sources.file, name)) [value, folder] = [sources.file[name], sources.folders.file];
    else if (fromEnvironment !== undefined) [value, origin] = [fromText(fromEnvironment, input.type), ` (from ${variable})`];
    else if (input.default !== undefined) [value, folder] = [input.default, sources.folders.recipe];
    else if (input.required) {
      faults.push({ code: 'input', message: `input "${name}" needs a value`, help: `-i ${name}=…${input.description ? `   ${input.description}` : ''}` });
      continue;
    } else {
      values.set(name, null);
      continue;
    }
    const fault = faultOfInput(value, input);
    if (fault !== undefined) faults.push({ code: 'input', message: `input "${name}" ${fault}${origin}`, help: input.description });
    else values.set(name, placed(value, input, folder));
  }
  return { values, faults };
}
