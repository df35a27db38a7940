import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { outputFor } from '../diagnostics/suggest.js';
import type { Module } from '../recipe/module.js';
import { isShell, shellFor, shellName } from '../recipe/script_shell.js';
import type { Task } from '../recipe/types.js';
import { outputsOf } from '../resolve/names.js';
import { activeText } from '../syntax/shell_text.js';
import { pathText } from '../syntax/template.js';
import type { Place, Value } from '../syntax/values.js';
import { folded } from './folded_script.js';

/** Maximum number of these warnings for one recipe. */
const mostWarnings = 20;

/** Warnings for texts in a recipe and its libraries that are allowed and probably mean something else. */
export function doubtfulTexts(module: Module): Diagnostic[] {
  const own = [...module.recipe.tasks.values()].flatMap((task) => [
    ...scriptsOf(task).flatMap((script) => inScript(script, task, module)),
    ...inParameters(task, module),
  ]);
  const values = [...module.recipe.vars.values()].flatMap(({ value, sh }) => (sh ? [] : inVariable(value, module)));
  const outputs = [...module.recipe.outputs.values()].flatMap((value) => inText(value, module));
  return [...own, ...values, ...outputs, ...[...module.children.values()].flatMap(doubtfulTexts)].slice(0, mostWarnings);
}

function warning(code: Diagnostic['code'], at: Place, message: string, help: string, range?: readonly [number, number]): Diagnostic {
  const span = range === undefined ? at.document.spanOf(at.pointer) : at.document.spanInside(at.pointer, ...range);
  return { code, severity: 'warning', message, span, help };
}

function scriptsOf({ action }: Task): Value[] {
  if (action.type !== 'run') return [];
  return action.undo === undefined ? [action.script] : [action.script, action.undo.script];
}

/** The text of a value as written; undefined for lists, maps and other values. */
function textIn(value: Value): string | undefined {
  if (value.type === 'template') return value.template.text;
  return value.type === 'literal' && typeof value.value === 'string' ? value.value : undefined;
}

function inScript(script: Value, task: Task, module: Module): Diagnostic[] {
  const text = textIn(script);
  // Scripts in files are not checked: the recipe contains only their path.
  if (
    text === undefined ||
    script.at.document.writtenAt(script.at.pointer) === undefined ||
    !isShell(shellName(shellFor(task.action.type === 'run' ? task.action.shell : undefined, text)))
  )
    return [];
  const active = activeText(text);
  const warn = (code: Diagnostic['code'], index: number, length: number, message: string, help: string) =>
    warning(code, script.at, message, help, [index, index + length]);
  const found: Diagnostic[] = [...folded(script, text), ...foreignIn(script, text, module, active)];
  const quote = /(?:^|[\s=(])([\u201c\u201d\u201e\u2018])/.exec(active);
  if (quote !== null) found.push(warn('typography', quote.index + quote[0].length - 1, 1, 'the shell does not know typographic quotes', 'write " or \''));
  const dash = /\s([\u2013\u2014])[A-Za-z]/.exec(active);
  if (dash !== null && !/(^|[;&|\n] *)(echo|printf) [^;&|\n]*$/.test(active.slice(0, dash.index)))
    found.push(warn('typography', dash.index + 1, 1, 'this dash does not begin an option', `write ${dash[1] === '\u2014' ? '--' : '-'}`));
  // After a backslash, a line goes on: `dnf install \` and `@development`.
  const silent = [...active.matchAll(/^[ \t]*@[a-z]/gm)].find(({ index }) => text[index - 2] !== '\\');
  if (silent !== undefined)
    found.push(warn('foreign-syntax', silent.index + silent[0].length - 2, 1, '"@" is part of the command: it silences commands in make only', 'remove "@"'));
  const variable = recipeVariable(active, task, module);
  if (variable !== undefined) found.push(warn('shell-variable', ...variable));
  return found;
}

/** Expressions of other tools: `${var.x}`, `{% if %}`, `{ vars.x }`. */
function foreignIn(value: Value, text: string, { recipe }: Module, active = text): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [pattern, advice] of foreignExpressions) {
    const match = pattern.exec(active);
    if (match !== null && (match[2] === undefined || recipe[match[1] as 'inputs' | 'vars'].has(match[2])))
      found.push(
        warning('foreign-syntax', value.at, `"${match[0].slice(0, 40)}" stays as it is written`, advice(match), [match.index, match.index + match[0].length]),
      );
  }
  return found;
}

const foreignExpressions: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/\$\{var\.([a-z_]\w*)\}/, ([, name]) => `write {{ inputs.${name} }}`],
  [/\$\{local\.([a-z_]\w*)\}/, ([, name]) => `write {{ vars.${name} }}`],
  // Other braces without spaces belong to a program: jsonpath={vars.x}.
  [/(?:(?<![{$\\])\{ |(?<!\S)\{)(inputs|vars)\.([a-z]\w*) ?\}(?!\})/, ([, owner, name]) => `write {{ ${owner}.${name} }}`],
  [/\{% *(?:if|for|else|endif|endfor|set)\b[^%]*%\}/, () => 'write {{#if CONDITION}}…{{/if}}, or loop in the script'],
];

/** A variable of the shell that has the name of one of the recipe, and that nothing in the script sets. */
function recipeVariable(active: string, { action }: Task, { recipe }: Module): [number, number, string, string] | undefined {
  const set = action.type === 'run' ? new Set([...action.env.keys(), ...recipe.env.keys()]) : new Set();
  // A script that reads another file may get variables from it.
  if (/(^|[;&|\s(])(\.|source|eval|read|getopts|mapfile) |\bexport "?\$\(/.test(active)) return undefined;
  for (const match of active.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)|\(([a-z]\w*)\))/g)) {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    const lower = name.toLowerCase();
    const owner = recipe.vars.has(lower) ? 'vars' : recipe.inputs.has(lower) ? 'inputs' : undefined;
    if (owner === undefined || set.has(name) || usual.has(name) || new RegExp(`(?<![$\\w{(])${name}\\b|\\{${name}:?=`).test(active)) continue;
    // A recipe that reads it from the environment expects it there.
    if (recipe.document.source.text.includes(`env.${name}`)) continue;
    if (match[3] !== undefined && commands.has(name)) continue;
    const message =
      match[3] === undefined ? `the shell has no variable "${name}"; the recipe has "${owner}.${lower}"` : `the shell runs "${name}" as a command`;
    return [match.index, match[0].length, message, `write {{ quote ${owner}.${lower} }}, or set it: env: {${name}: "{{ ${owner}.${lower} }}"}`];
  }
  return undefined;
}

/** Programs whose output is used by `$(name)`, and whose names recipes give to inputs. */
const commands = new Set('arch hostname date uname nproc id whoami pwd tty env ls mktemp users groups domainname'.split(' '));

/** Variables that a login, the shell or the program sets. */
const usual = new Set('HOME PATH PWD OLDPWD USER LOGNAME SHELL TERM LANG HOSTNAME RANDOM SECONDS UID EUID IFS TMPDIR EDITOR DISPLAY'.split(' '));

function inVariable(value: Value, module: Module): Diagnostic[] {
  const text = textIn(value);
  const [, command] = /^(?:\$\(([^()]+)\)|`([^`]+)`)$/.exec(text ?? '')?.filter((part) => part !== undefined) ?? [];
  if (text === undefined) return [];
  if (command === undefined) return foreignIn(value, text, module);
  return [warning('foreign-syntax', value.at, 'this is text: no shell runs it', `write {sh: ${JSON.stringify(command)}} for the output of a command`)];
}

function inParameters({ action }: Task, module: Module): Diagnostic[] {
  if (action.type === 'run') return [...action.env.values()].flatMap((value) => inText(value, module));
  if (action.type !== 'kind') return [];
  return [...action.with].flatMap(([parameter, value]) => [...inText(value, module), ...nameOfTask(parameter, value, module)]);
}

/** A text that is the name of an output, or has an expression of another tool in it. */
function inText(value: Value, module: Module): Diagnostic[] {
  if (value.type === 'list') return value.items.flatMap((item) => inText(item, module));
  if (value.type === 'map') return [...value.entries.values()].flatMap((item) => inText(item, module));
  const text = textIn(value);
  if (text === undefined || text.length > 1000) return [];
  const [first = '', second = '', ...rest] = text.split('.');
  const task = module.recipe.tasks.get(first);
  const library = module.children.get(first)?.recipe;
  const isOutput = rest.length === 0 && ((task !== undefined && outputsOf(task).includes(second)) || library?.outputs.has(second) === true);
  if (!isOutput) return foreignIn(value, text, module);
  return [warning('missing-braces', value.at, `this is the text "${text}", not the output of "${first}"`, `write "{{ ${pathText([first, second])} }}"`)];
}

/** A device or a path that is the name of a task which has one. */
function nameOfTask(parameter: string, value: Value, module: Module): Diagnostic[] {
  const text = textIn(value);
  const task = text === undefined ? undefined : module.recipe.tasks.get(text);
  if (task === undefined || !['device', 'path'].includes(parameter)) return [];
  const output = outputFor(parameter, outputsOf(task));
  return output === undefined
    ? []
    : [warning('missing-braces', value.at, `"${text}" is the name of a task, not a ${parameter}`, `write "{{ ${text}.${output} }}"`)];
}
