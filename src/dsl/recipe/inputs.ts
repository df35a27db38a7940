import { dirname, resolve } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { patternWords } from '../diagnostics/pattern_words.js';
import { hintFor } from '../diagnostics/suggest.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { errorOfMatch } from '../syntax/linear_pattern.js';
import type { Span } from '../syntax/source.js';
import { shellWord, textMeant } from './input_help.js';

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

/** A text converted to the type if possible; any other value unchanged. */
export function asType(value: unknown, type: ValueType): unknown {
  return typeof value === 'string' ? (fromText(value, type) ?? value) : value;
}

/** Whether a type exists; the schema reports the others. */
export function isValueType(type: unknown): type is ValueType {
  return ['string', 'path', 'integer', 'number', 'boolean', 'list', 'map'].includes(type as ValueType);
}

/** What is wrong with a value for an input, in words that follow `input "size" `; undefined when nothing is. */
export function errorOfInput(value: unknown, declared: InputDeclaration): string | undefined {
  // An unknown type has its own error.
  if (!isValueType(declared.type)) return undefined;
  if (!isOfType(value, declared.type)) return `must be ${article(declared.type)}`;
  if (declared.enum !== undefined && !declared.enum.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))) {
    return `must be one of ${declared.enum.map((allowed) => JSON.stringify(allowed)).join(', ')}`;
  }
  const unmatched = typeof value === 'string' && declared.pattern !== undefined ? errorOfMatch(declared.pattern, value) : undefined;
  if (unmatched !== undefined) return errorWords(unmatched, declared.pattern);
  if (typeof value === 'number' && declared.minimum !== undefined && value < declared.minimum) return `must be at least ${declared.minimum}`;
  if (typeof value === 'number' && declared.maximum !== undefined && value > declared.maximum) return `must be at most ${declared.maximum}`;
  if (declared.secret && value !== null && typeof value !== 'object' && String(value).length < leastSecret)
    return `is a secret and must have at least ${leastSecret} characters`;
  return undefined;
}

/** The error for a text that does not match a pattern, in words where there are any. */
function errorWords(unmatched: string, pattern = ''): string {
  const words = patternWords(pattern);
  return words !== undefined && unmatched === `must match ${pattern}` ? `must be ${words}` : unmatched;
}

/** Shorter secrets would be found everywhere in logs, and hide nothing. */
export const leastSecret = 4;

/** The value of an input; a path is made absolute, relative to the folder of the file that sets it. */
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

/** What `--inputs FILE` names. */
export interface InputsFile {
  readonly document: ParsedDocument;
  /** Whether its values are texts, as in a dotenv file; none of it is shown then. */
  readonly texts: boolean;
}

/** Where the values of inputs come from, strongest first. */
export interface InputSources {
  /** Fixed values; null if there was none. */
  readonly kept: ReadonlyMap<string, unknown>;
  /** `-i name=value`. */
  readonly commandLine: ReadonlyMap<string, string>;
  /** What `--inputs FILE` named; a later one is stronger. */
  readonly files: readonly InputsFile[];
  /** The folder of the recipe, to which its own paths are relative. */
  readonly folder: string;
  /** The program's environment; asked for `CHROOTFILE_INPUT_NAME`. */
  readonly environment: (name: string) => string | undefined;
}

/**
 * The values of a recipe's inputs; an optional input without a value is null, one with an error is absent. Paths
 * in a file are relative to it.
 */
export function resolveInputs(
  declared: ReadonlyMap<string, InputDeclaration>,
  sources: InputSources,
): { values: Map<string, unknown>; diagnostics: Diagnostic[] } {
  const values = new Map<string, unknown>();
  const diagnostics = [...unknownInputs(declared, sources)];
  for (const [name, input] of declared) {
    const given = givenFor(name, input, sources);
    if (given === undefined && input.required && !sources.kept.has(name)) {
      diagnostics.push({
        code: 'missing-input',
        message: `input "${name}" needs a value`,
        help: `-i ${name}=…${input.description ? `   ${input.description}` : ''}`,
      });
    } else if (given === undefined) {
      values.set(name, null);
    } else {
      const error = errorOfInput(given.value, input);
      if (error === undefined) values.set(name, placed(given.value, input, given.folder));
      // An invalid default is an error of the recipe, reported with it.
      else if (!given.preset)
        diagnostics.push({
          code: 'input',
          message: `input "${name}" ${error}${given.origin ?? ''}`,
          span: given.span,
          help: helpFor(given, input) ?? input.description,
        });
    }
  }
  return { values, diagnostics };
}

/** What to write instead of a value that does not fit. */
function helpFor({ value, written, text }: Given, input: InputDeclaration): string | undefined {
  // Values in files are not shown.
  if (text === undefined) return typeof value === 'string' && asType(value, input.type) !== value ? 'write it without quotes' : undefined;
  const meant = textMeant(text, input);
  return meant === undefined || written === undefined ? undefined : `write ${written(meant)}`;
}

function* unknownInputs(declared: ReadonlyMap<string, InputDeclaration>, { commandLine, files }: InputSources): Generator<Diagnostic> {
  const known = [...declared.keys()];
  const unknown = (name: string, span?: Span): Diagnostic => {
    const [, inside] = /^(?:var|inputs)\.(.*)$/.exec(name) ?? [];
    const isSection = span !== undefined && name === 'inputs';
    const help =
      inside !== undefined && declared.has(inside)
        ? `write ${inside}`
        : isSection
          ? 'write the names of inputs at the left margin, without "inputs:"'
          : undefined;
    return { code: 'unknown-input', message: `the recipe has no input "${name}"`, span, help: help ?? hintFor(name, known) ?? 'the recipe declares no inputs' };
  };
  for (const name of commandLine.keys()) if (!declared.has(name)) yield unknown(name);
  for (const { document, texts } of files) {
    if (!isOfType(document.value, 'map'))
      yield {
        code: 'input',
        message: 'a file of inputs must be a map of names and values',
        span: document.spanOf(''),
        help: 'write "NAME: VALUE" for each, without "-"',
      };
    else {
      for (const name of Object.keys(document.value as object).filter((each) => !declared.has(each))) {
        const diagnostic = unknown(name, document.keySpanOf(pointerStep(name)));
        yield texts ? { ...diagnostic, message: 'the recipe has no input of the name on this line' } : diagnostic;
      }
    }
  }
}

interface Given {
  readonly value: unknown;
  readonly folder: string;
  readonly origin?: string;
  /** The text that was given, and another one in the form of this source; absent for files. */
  readonly text?: string;
  readonly written?: (text: string) => string;
  readonly span?: Span;
  /** Whether it is the default. */
  readonly preset?: boolean;
}

/** The value for an input from the strongest source, and where it comes from. */
function givenFor(name: string, input: InputDeclaration, { kept, commandLine, files, environment, folder }: InputSources): Given | undefined {
  if (kept.has(name)) return kept.get(name) === null ? undefined : { value: kept.get(name), folder };
  const text = commandLine.get(name);
  if (text !== undefined) return { value: fromText(text, input.type), folder: '.', text, written: (other) => `-i ${shellWord(`${name}=${other}`)}` };
  const file = files.findLast(({ document: { value } }) => isOfType(value, 'map') && Object.hasOwn(value as object, name));
  if (file !== undefined) {
    const { document, texts } = file;
    const value = (document.value as Record<string, unknown>)[name];
    return { value: texts ? fromText(String(value), input.type) : value, folder: dirname(document.source.path), span: document.spanOf(pointerStep(name)) };
  }
  const variable = `CHROOTFILE_INPUT_${name.toUpperCase()}`;
  const set = environment(variable);
  if (set !== undefined)
    return { value: fromText(set, input.type), folder: '.', origin: ` (from ${variable})`, text: set, written: (other) => `${variable}=${shellWord(other)}` };
  return input.default === undefined ? undefined : { value: input.default, folder, preset: true };
}
