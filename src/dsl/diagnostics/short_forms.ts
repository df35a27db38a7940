import { isValueType } from '../recipe/inputs.js';
import type { Span } from '../syntax/source.js';
import { type Schema, typesIn } from './schema_messages.js';

/** A value of the wrong type, and where it is. */
export interface Misplaced {
  /** The steps to it in the recipe: keys, and numbers in lists. */
  readonly path: readonly string[];
  readonly written: unknown;
  /** As written in the file: YAML reads `1.10` as 1.1. */
  readonly source: string;
  readonly schema: Schema | undefined;
  /** Names of the recipe's own tasks. */
  readonly tasks: readonly string[];
}

/** What to write instead of a value of the wrong type, ready to paste; undefined if there is no guess. */
export function shortFormHelp(at: Misplaced): string | undefined {
  const { written, schema, path } = at;
  const types = typesIn(schema);
  const text = typeof written === 'string' ? written : undefined;
  if (text !== undefined) {
    const [, key, value] = /^(-?[a-z_]+):(\S.*)$/s.exec(text) ?? [];
    if (key !== undefined && types.includes('object') && Object.hasOwn(schema?.['properties'] ?? { [key]: null }, key))
      return `put a space after the colon: ${key}: ${short(value ?? '')}`;
    const foreign = interpolation(text);
    if (foreign !== undefined) return `write ${foreign}`;
  }
  if (types.includes('boolean') && text !== undefined) return booleanHelp(text, path);
  if (types.length === 1 && types[0] === 'object') return mapHelp(at);
  if (types.includes('array') && !Array.isArray(written)) return listHelp(at);
  if (types.includes('string') && Array.isArray(written)) return textHelp(path, written);
  if (types.includes('string') && typeof written === 'object' && written !== null) return nameHelp(written as Record<string, unknown>);
  if (types.length > 0 && types.every((type) => type === 'integer' || type === 'number' || type === 'object') && text !== undefined) return numberHelp(text);
  if (types.every((type) => type === 'string') && (typeof written === 'number' || typeof written === 'boolean')) return `write "${at.source}"`;
  return undefined;
}

/** What to write for a value that is empty. */
export function emptyHelp(path: readonly string[], source: string): string {
  if (/^&\S/.test(source)) return `"&" begins an anchor; quote a text that begins with it: "${short(source)}"`;
  if (source.startsWith('#')) return `"#" begins a comment; quote a text that begins with it: "${short(source)}"`;
  const [section, name, key] = path;
  if (path.length === 1 && section === 'tasks') return 'add a task, e.g. "hello: {run: echo hello}", indented below it';
  if (path.length === 2 && section === 'tasks') return `write ${name}: {run: COMMAND}`;
  if (path.length === 2 && section === 'inputs') return `write ${name}: {type: string}`;
  if (path.length === 3 && section === 'tasks' && key === 'with') return 'add the parameters below it, indented';
  if (path.length === 2 && section === 'includes') return `write ${name}: {recipe: PATH}`;
  if (key === 'run') return 'write run: COMMAND';
  if (key === 'undo') return 'write undo: {run: COMMAND}';
  if (key === 'strategy') return 'write strategy: {matrix: {NAME: [VALUE, VALUE]}}';
  return 'add a value, or remove the key';
}

/** `${var.size}` of Terraform and the like, as a template; undefined for any other text. */
export function interpolation(text: string): string | undefined {
  const [, kind, name] = /^\$\{(var|local)\.([\w-]+)\}$/.exec(text) ?? [];
  return name === undefined ? undefined : `"{{ ${kind === 'var' ? 'inputs' : 'vars'}.${name.replaceAll('-', '_')} }}"`;
}

function mapHelp(at: Misplaced): string | undefined {
  const { path, written, schema, tasks } = at;
  const [section, name = '', key] = path;
  const text = scalarText(written);
  if (path.length === 2 && section === 'tasks' && !Array.isArray(written))
    return tasks.includes(text ?? '') ? `write ${name}: {needs: [${text}]}` : `write ${name}: {run: ${flowText(text ?? '')}}`;
  if (path.length === 2 && section === 'inputs' && text !== undefined) return `write ${name}: {type: ${typeFor(written)}`;
  if (section === 'tasks' && key === 'outputs' && path.length === 4)
    return isValueType(written)
      ? `write ${path[3]}: {type: ${text}}`
      : `write ${path[3]}: {}; the script writes the value: echo "${path[3]}=…" >> "$CHROOTFILE_OUTPUT"`;
  if (section === 'tasks' && key === 'outputs' && path.length === 3)
    return `write {${[written]
      .flat()
      .map((each) => `${scalarText(each) ?? 'NAME'}: {}`)
      .join(', ')}}`;
  if (Array.isArray(written)) return mapFromList(path, written);
  const [required] = (schema?.['required'] as string[] | undefined) ?? [];
  const [, variable, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(text ?? '') ?? [];
  if (variable !== undefined) return `write {${variable}: ${flowText(value ?? '')}}`;
  return required !== undefined && text !== undefined && path.length > 0 ? `write {${required}: ${flowText(text.trimEnd())}}` : undefined;
}

function mapFromList(path: readonly string[], list: readonly unknown[]): string {
  const [section, name, key] = path;
  if (path.at(-1) === 'matrix') return short(`write {NAME: [${list.map((each) => flowText(String(each))).join(', ')}]}`);
  if (path.length === 0) return 'write "version: 1" and "tasks:", without "-"';
  if (section === 'tasks' && path.length === 1) return 'write "NAME:" for each task instead of "- name: NAME"';
  if (section === 'tasks' && path.length === 2 && list.every((each) => typeof each === 'string')) return `write ${name}: {run: ${flowText(list.join(' && '))}}`;
  const texts = list.filter((each): each is string => typeof each === 'string');
  const [, output] = /^[a-z][\w.-]*\.([a-z]\w*)$/.exec(texts[0] ?? '') ?? [];
  if (path.length === 1 && section === 'outputs' && output !== undefined) return `write {${output}: "{{ ${texts[0]} }}"}`;
  const pairs = texts.map((each) => /^([A-Za-z_]\w*)=(.*)$/.exec(each));
  if (pairs.length === list.length && pairs.every((pair) => pair !== null))
    return short(`write {${pairs.map((pair) => `${pair[1]}: ${flowText(pair[2] ?? '')}`).join(', ')}}`);
  if (section === 'includes' && path.length === 1 && texts[0] !== undefined)
    return `write {${texts[0].replace(/^.*[/:]|\.ya?ml$/g, '').replaceAll(/\W/g, '_')}: {recipe: ${flowText(texts[0])}}}`;
  const named = list.map((each) => pairOf(each));
  if (section !== 'inputs' && named.every((pair) => pair !== undefined)) return short(`write {${named.join(', ')}}`);
  return `write "name: value" for each${key === undefined ? '' : ` under "${path.at(-1)}"`}, without "-"`;
}

/** An item such as `{Key: Name, Value: web}` or `{Name: name, Values: [web]}` as an entry of a map. */
function pairOf(item: unknown): string | undefined {
  const { Key, Name, name = Name ?? Key, Value, Values, value = Value ?? Values } = (item ?? {}) as Record<string, unknown>;
  const [key, text] = [scalarText(name), scalarText([value].flat()[0])];
  return key === undefined || text === undefined ? undefined : `${key}: ${flowText(text)}`;
}

/** The rest of `{type: …` for an input that is given as a value: a type, or its default. */
function typeFor(written: unknown): string {
  if (isValueType(written)) return `${written}}`;
  const type = typeof written === 'number' ? (Number.isInteger(written) ? 'integer' : 'number') : typeof written === 'boolean' ? 'boolean' : 'string';
  return `${type}, default: ${flowText(String(written))}}`;
}

function listHelp({ written, source, path }: Misplaced): string | undefined {
  if (typeof written === 'number') return `write ["${source}"]`;
  if (typeof written !== 'string' || written.includes('{{')) return undefined;
  if (/^-[a-z]/.test(written)) return `put a space after the dash: - ${short(written.slice(1))}`;
  if (path.at(-1) === 'shell') return `write [${written.split(/\s+/).join(', ')}]`;
  const items = /^[\w.-]+(\s*,\s*[\w.-]+)+$/.test(written) ? written.split(/\s*,\s*/) : [written];
  return `write [${items.map((item) => flowText(item)).join(', ')}]`;
}

function textHelp(path: readonly string[], list: readonly unknown[]): string | undefined {
  const texts = list.filter((each): each is string => typeof each === 'string');
  if (texts.length !== list.length) return undefined;
  if (path.at(-1) === 'in' && texts.length === 1) return `write ${texts[0]}`;
  if (path.includes('env')) return `write ${quotedText(texts.join(' '))}`;
  if (path.at(-1) !== 'run' && path.at(-1) !== 'sh') return undefined;
  // A single command in brackets is meant as a test of the shell.
  const text = texts.length === 1 && /^-|=/.test(texts[0] ?? '') ? `[ ${texts[0]} ]` : texts.join(' && ');
  return `write ${path.at(-1)}: ${quotedText(short(text))}`;
}

function nameHelp(written: Record<string, unknown>): string | undefined {
  const name = written['task'] ?? written['name'] ?? written['job'];
  if (typeof name === 'string') return `write ${name}`;
  const [only, ...more] = Object.values(written);
  return typeof only === 'string' && more.length === 0 ? `write ${flowText(only)}` : undefined;
}

function numberHelp(text: string): string | undefined {
  const [, number] = /^([0-9]+(?:\.[0-9]+)?)\s*(?:Gi?B?|gi?b?)?$/.exec(text) ?? [];
  return number === undefined ? undefined : `write ${number}`;
}

function booleanHelp(text: string, path: readonly string[]): string | undefined {
  const word = text.toLowerCase();
  if (['yes', 'on', 'y', '1'].includes(word)) return `write true: YAML 1.2 reads ${text} as text`;
  if (['no', 'off', 'n', '0'].includes(word)) return `write false: YAML 1.2 reads ${text} as text`;
  if (word === 'true' || word === 'false') return `write ${word}, without quotes`;
  if (path.at(-1) !== 'if') return undefined;
  const [, not, name] = /^(not |!)?\s*((?:inputs|vars|matrix|env)\.\w+)$/.exec(text) ?? [];
  if (name !== undefined) return `write "{{ ${not === undefined ? '' : 'not '}${name} }}"`;
  const [, left, operator, right] = /^(\S+)\s*(==|!=)\s*(['"]?[\w.-]+['"]?)$/.exec(text) ?? [];
  if (left === undefined) return 'write true, false, or a template such as "{{ eq inputs.flavor \'full\' }}"';
  return `write "{{ ${operator === '==' ? 'eq' : 'ne'} ${left} ${right?.replaceAll('"', "'")} }}"`;
}

/** A scalar as text; undefined for lists, maps and null. */
function scalarText(value: unknown): string | undefined {
  return typeof value === 'object' || value === undefined ? undefined : String(value);
}

/** A text as a value inside braces, quoted where YAML needs it. */
function flowText(text: string): string {
  const cut = short(text);
  return /^[\w./][\w./ &|=+-]*$/.test(cut) && !/\s$/.test(cut) ? cut : quotedText(cut);
}

function quotedText(text: string): string {
  return /["\\]/.test(text) ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
}

/** Longer values would bury the advice. */
function short(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** Help for a key that is the rest of a text in a flow map, as in `{description: a, the rest}`: a comma ends an unquoted text there. */
export function cutTextHelp(map: unknown, key: string, { source, start, end }: Span): string | undefined {
  const entries = Object.entries((map ?? {}) as Record<string, unknown>);
  const at = entries.findIndex(([name]) => name === key);
  const [[before, text] = ['', undefined]] = entries.slice(at - 1);
  const isCut = /,\s*$/.test(source.text.slice(0, start)) && /^\s*[,}]/.test(source.text.slice(end));
  if (at < 1 || !isCut || entries[at]?.[1] !== null || typeof text !== 'string' || /^["']/.test(source.text.slice(start))) return undefined;
  return `quote a text with ", " in it: ${before}: ${JSON.stringify(`${text}, ${key}`)}`;
}
