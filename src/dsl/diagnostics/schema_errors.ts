import type { KindDeclaration, SchemaError } from '../recipe/kind.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { durationPattern } from '../syntax/duration.js';
import { axisValueHelp, axisValuePattern, lockPattern, namePattern, taskNamePattern, taskPattern, templatePattern } from '../syntax/lexical.js';
import type { Diagnostic } from './diagnostic.js';
import { causesAmong, isText } from './schema_causes.js';
import { allowedIn, keyOf, messageOf, oneOfKeys, type Schema, typesIn } from './schema_messages.js';
import { cutTextHelp, emptyHelp, interpolation, type Misplaced, shortFormHelp } from './short_forms.js';
import { hintFor, hintForKind, hintForType, nearest, outputFor } from './suggest.js';

type Kinds = ReadonlyMap<string, KindDeclaration>;

/** The errors that a schema found in a document, with their places and what to write instead. */
export function diagnosticsOf(errors: readonly SchemaError[], document: ParsedDocument, kinds: Kinds): Diagnostic[] {
  return causesAmong(errors).map((error) => new Reader(error, document, kinds).diagnostic());
}

/** The errors that a schema found in a value without a place, e.g. rendered parameters: `size: must be an integer`. */
export function messagesOf(errors: readonly SchemaError[]): string[] {
  return causesAmong(errors).map((error) => `${error.instancePath.slice(1).replaceAll('/', '.')}${error.instancePath === '' ? '' : ': '}${messageOf(error)}`);
}

/** One error of a schema in its document. */
class Reader {
  private readonly message: string;
  private readonly parent: Schema | undefined;
  private readonly pointer: string;
  private readonly path: readonly string[];
  private readonly written: unknown;

  constructor(
    private readonly error: SchemaError,
    private readonly document: ParsedDocument,
    private readonly kinds: Kinds,
  ) {
    this.message = messageOf(error);
    this.parent = error.parentSchema as Schema | undefined;
    this.pointer = error.instancePath;
    this.path = this.pointer
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    this.written = valueAt(document.value, this.path);
  }

  diagnostic(): Diagnostic {
    const { error, message, parent } = this;
    switch (error.keyword) {
      case 'additionalProperties':
        if (this.path.at(-1) === 'run' && isText(error)) return this.scriptInBraces();
        return { code: 'unknown-key', message, span: this.keySpan(error.params['additionalProperty']), help: this.keyHelp() };
      case 'required':
        return this.required(String(error.params['missingProperty']));
      case 'anyOf':
        return { code: 'missing-key', message, span: this.keySpan(), help: `set ${oneOfKeys(parent).join(' or ')}` };
      case 'dependentRequired': {
        const property = String(error.params['property']);
        return { code: 'exclusive', message, span: this.keySpan(property), help: requiresHelp(property) };
      }
      case 'false schema':
        return { code: 'exclusive', message, span: this.keySpan(), help: this.exclusiveHelp() };
      case 'enum':
        return this.notAllowed();
      case 'const':
        return { code: 'version', message, span: this.span(), help: this.written === '1' ? 'write version: 1, without quotes' : 'write version: 1' };
      case 'pattern':
        return this.unfit(String(error.params['pattern']));
      case 'type':
        return this.mistyped();
      default:
        return { code: 'range', message, span: this.span(), help: descriptionOf(parent) };
    }
  }

  private span() {
    return this.document.spanOf(this.pointer);
  }

  private keySpan(key?: unknown) {
    return this.document.keySpanOf(this.pointer + (key === undefined ? '' : pointerStep(String(key))));
  }

  private get source(): string {
    return this.document.writtenAt(this.pointer) ?? '';
  }

  private get tasks(): Readonly<Record<string, { readonly uses?: unknown } | null>> {
    const tasks = valueAt(this.document.value, ['tasks']);
    return (typeof tasks === 'object' && tasks !== null ? tasks : {}) as Record<string, { uses?: unknown } | null>;
  }

  /** The kind of the task that the error is in. */
  private get kind(): KindDeclaration | undefined {
    return this.path[0] === 'tasks' ? this.kindOf(this.path[1] ?? '') : undefined;
  }

  private kindOf(task: string): KindDeclaration | undefined {
    const uses = Object.hasOwn(this.tasks, task) ? this.tasks[task]?.uses : undefined;
    return typeof uses === 'string' ? this.kinds.get(uses) : undefined;
  }

  private keyHelp(): string | undefined {
    const name = String(this.error.params['additionalProperty']);
    const known = Object.keys((this.parent?.['properties'] as Schema | undefined) ?? {});
    const value = (this.written as Record<string, unknown> | null)?.[name];
    const { kind } = this;
    const parameters = Object.keys(kind?.params.properties ?? {});
    const parameter = this.path.length !== 2 ? undefined : parameters.includes(name) ? name : known.includes('uses') ? nearest(name, parameters) : undefined;
    if (parameter === name) return `"${name}" is a parameter of ${kind?.name}: put it under "with"`;
    const [, key, rest] = /^([a-z_]+):(.+)$/.exec(name) ?? [];
    if (key !== undefined && known.includes(key)) return `put a space after the colon: ${key}: ${rest}`;
    if (this.path.length === 0 && looksLikeTask(value) && nearest(name, known) === undefined) return `move the task "${name}" below "tasks:", indented`;
    if (this.path.length === 0 && ['run', 'uses', 'with', 'needs', 'in', 'if'].includes(name))
      return `indent "${name}" under the name of its task, below "tasks:"`;
    if (parameter !== undefined && nearest(name, known) === undefined)
      return `did you mean "${parameter}"? Put it under "with": it is a parameter of ${kind?.name}`;
    if (name === 'steps' && Array.isArray(value)) return 'each step is a task of its own; order them with "needs"';
    const help = cutTextHelp(this.written, name, this.keySpan(name)) ?? hintFor(name, known);
    const isInput = this.path[0] === 'includes' && this.path.length === 2 && help?.startsWith('known names');
    return isInput ? `an input of the library belongs under "with"` : help;
  }

  private scriptInBraces(): Diagnostic {
    const span = this.span();
    const help = `quote the text: ${JSON.stringify(span.source.text.slice(span.start, span.end))}`;
    return { code: 'type', message: '"{" begins a map in YAML', span, help };
  }

  private required(missing: string): Diagnostic {
    const code = missing === 'version' ? 'version' : 'missing-key';
    return { code, message: this.message, span: this.keySpan(), help: this.requiredHelp(missing) };
  }

  private requiredHelp(missing: string): string | undefined {
    const { kind, written } = this;
    if (missing === 'version') return 'begin with "version: 1"';
    if (missing === 'tasks') return 'add the tasks: "tasks:" and below it, indented, e.g. "hello: {run: echo hello}"';
    if (missing === 'in') return `${kind?.name} works in a chroot: name the chroot task, e.g. in: chroot`;
    if (missing === 'with' && kind !== undefined)
      return `${kind.name} requires ${(kind.params.required ?? kind.requiresOneOf ?? []).map((name) => `"${name}"`).join(kind.params.required ? ', ' : ' or ')} under "with"`;
    if (missing === 'type' && this.path[0] === 'inputs') {
      const preset = (written as { default?: unknown } | null)?.default;
      return `add type: ${Array.isArray(preset) ? 'list' : typeof preset === 'number' ? (Number.isInteger(preset) ? 'integer' : 'number') : typeof preset === 'object' && preset !== null ? 'map' : preset === undefined ? 'string' : typeof preset}`;
    }
    return descriptionOf((this.parent?.['properties'] as Readonly<Record<string, Schema>> | undefined)?.[missing]);
  }

  private exclusiveHelp(): string | undefined {
    const key = keyOf(this.error);
    if (key === 'run') return 'split it into two tasks, ordered with "needs"';
    return key === 'in' ? `${this.kind?.name} runs on the build host; remove "in"` : undefined;
  }

  private notAllowed(): Diagnostic {
    const { written, message } = this;
    const values = allowedIn(this.parent).map(String);
    if (typeof written !== 'string') return { code: 'enum', message, span: this.span(), help: `write ${values[0]}` };
    if (this.pointer.endsWith('/uses'))
      return { code: 'unknown-kind', message: `unknown kind "${written}"`, span: this.span(), help: hintForKind(written, values) };
    const near = (this.path.at(-1) === 'type' ? hintForType(written, values) : undefined) ?? meantAmong(written, values);
    return { code: 'enum', message, span: this.span(), help: near ?? descriptionOf(this.parent) ?? `write one of them, e.g. ${values[0]}` };
  }

  private unfit(pattern: string): Diagnostic {
    const { message, written, parent } = this;
    const span = this.span();
    const text = typeof written === 'string' ? written : '';
    if (this.error.propertyName !== undefined)
      return { code: 'name', message, span: this.keySpan(this.error.propertyName), help: nameHelp(this.error.propertyName, pattern) };
    if (pattern === durationPattern) return { code: 'duration', message, span, help: durationHelp(text) };
    if (pattern === templatePattern) return { code: 'type', message, span, help: shortFormHelp(this.misplaced()) ?? descriptionOf(parent) };
    if (pattern === taskPattern) return { code: 'pattern', message, span, help: taskNameHelp(text) };
    if (pattern === axisValuePattern)
      return {
        code: 'matrix',
        message: `${JSON.stringify(written)} cannot be a value of a matrix axis: it becomes part of task names`,
        span,
        help: axisValueHelp,
      };
    if (/^0[0-7]+$/.test(this.source)) return this.fileMode();
    return { code: 'pattern', message, span, help: this.patternHelp(text) };
  }

  private patternHelp(text: string): string | undefined {
    const [name = '', output] = text.split('.');
    const kind = this.kindOf(name);
    const meant = kind && outputFor(keyOf(this.error), Object.keys(kind.outputs.properties), output);
    if (meant !== undefined) return `"${name}" is a task; write "{{ ${name}.${meant} }}"`;
    const foreign = interpolation(text);
    if (foreign !== undefined) return `write ${foreign}`;
    const isName = keyOf(this.error) === 'id' && this.kind?.params.properties?.['filters'] !== undefined && /^[a-z][\w.-]*$/.test(text);
    if (isName) return `an image is found by its name with filters: {name: "${text}*"}`;
    return patternHelpFor(String(this.error.params['pattern']), text) ?? descriptionOf(this.parent);
  }

  private mistyped(): Diagnostic {
    const { written, source } = this;
    if (typeof written === 'number' && /^0[0-7]+$/.test(source)) return this.fileMode();
    const span = this.span();
    const key = this.path.at(-1);
    if (written === null && source === '' && key !== undefined && !/^\d+$/.test(key)) {
      const [, behind = ''] = /^:[ \t]*(.*)/.exec(this.document.source.text.slice(this.keySpan().end)) ?? [];
      return { code: 'type', message: `"${key}" is empty`, span: this.keySpan(), help: emptyHelp(this.path, behind) };
    }
    const isDuration = this.parent?.['pattern'] === durationPattern && typeof written === 'number';
    const help = isDuration ? `write ${written}s` : shortFormHelp(this.misplaced());
    return { code: 'type', message: this.message, span, help: help ?? (typesIn(this.parent).length > 0 ? descriptionOf(this.parent) : undefined) };
  }

  private fileMode(): Diagnostic {
    const { source } = this;
    return { code: 'mode', message: `${source} is a decimal number in YAML, not a file mode`, span: this.span(), help: `write "${source}"` };
  }

  private misplaced(): Misplaced {
    return { path: this.path, written: this.written, source: this.source, schema: this.parent, tasks: Object.keys(this.tasks) };
  }
}

/** The allowed value that is meant: `gp4` may be two, `amazon` is `aws`. */
function meantAmong(written: string, values: readonly string[]): string | undefined {
  if (values.includes('aws') && /^(amazon|ec2|aws_|aws-)/i.test(written)) return 'write aws';
  const near = nearest(written, values);
  const other =
    near &&
    nearest(
      written,
      values.filter((value) => value !== near && value.length === near.length && value.slice(0, -1) === near.slice(0, -1)),
    );
  return near && `did you mean "${near}"${other === undefined ? '' : ` or "${other}"`}?`;
}

function looksLikeTask(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return ['run', 'uses', 'needs', 'cmds', 'cmd', 'deps', 'steps', 'script'].some((key) => Object.hasOwn(value, key));
}

/** What a parameter means. */
function descriptionOf(schema: Schema | undefined): string | undefined {
  return (schema?.['description'] as string | undefined) ?? (schema?.['patternErrorMessage'] as string | undefined);
}

function requiresHelp(name: string): string {
  if (name === 'generates') return 'name the files it is made from in "sources"';
  return name === 'with' ? 'name the kind that takes these parameters in "uses"' : `only tasks with "run" have "${name}"`;
}

function nameHelp(name: string, pattern: string): string {
  if (name.includes('{{')) return 'a name cannot be a template';
  const [allowed, rule] =
    pattern === taskNamePattern
      ? [/[^A-Za-z0-9-]+/g, 'a name consists of lower-case letters, digits, - and _, and begins with a letter']
      : pattern === namePattern
        ? [/[^A-Za-z0-9]+/g, 'a name consists of lower-case letters, digits and _, and begins with a letter']
        : [/[^A-Za-z0-9]+/g, 'a name consists of letters, digits and _, and does not begin with a digit'];
  const snake = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(allowed, '_')
    .replace(/^[^A-Za-z]+|[_-]+$/g, '');
  const right = pattern === namePattern || pattern === taskNamePattern ? snake.toLowerCase() : snake;
  return right === '' || right === name ? rule : `write ${right}: ${rule}`;
}

function durationHelp(text: string): string {
  const [, number, unit = 's'] = /^\s*(\d+)\s*(ms|s|m|h|d|days?)?[a-z]*\s*$/.exec(text.toLowerCase()) ?? [];
  if (number === undefined) return 'write whole numbers with units, the largest unit first: 500ms, 90s, 20m, 1h30m';
  if (unit.startsWith('d') && Number(number) > 24) return 'a duration is at most 24 days: 576h';
  return unit.startsWith('d') ? `write ${Number(number) * 24}h` : `write ${number}${unit}`;
}

/** What to write instead of a text that breaks a rule in one place; undefined if there is no guess. */
function patternHelpFor(pattern: string, text: string): string | undefined {
  const [, number, unit] = /^(\d+)\s*([MGT])i?B?$/i.exec(text) ?? [];
  if (pattern.includes('MiB|GiB') && unit !== undefined) return `write ${number}${unit.toUpperCase()}iB`;
  if (pattern === '^/dev/' && /^(sd|vd|xvd|nvme|loop)[a-z0-9]+$/.test(text)) return `write /dev/${text}`;
  const slug = text.trim().replaceAll(/[^\w.-]+/g, '-');
  return [lockPattern, recipeNamePattern].includes(pattern) && new RegExp(pattern).test(slug) ? `write ${slug}` : undefined;
}

const recipeNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]*$';

function taskNameHelp(written: string): string {
  if (/^\{\{\s*(inputs|vars|env|matrix|run)\b/.test(written)) return 'the name of a task cannot be a template; a task can be left out with "if"';
  if (/^[\w-]+(?:[/:]{1,2}[\w-]+)+$/.test(written)) return `write ${written.replaceAll(/[/:]+/g, '.')}`;
  const [, task] = /^\{\{\s*([a-z0-9_.-]+?)(\.[a-z0-9_]+)?\s*\}\}$/.exec(written) ?? [];
  return task === undefined ? 'e.g. packages, ami.chroot, root.released, build[arch=arm64]' : `a task is named without braces: ${task}`;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at, step) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined), value);
}
