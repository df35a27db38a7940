import { spawnSync } from 'node:child_process';
import type { Diagnostic } from '../dsl/diagnostics/diagnostic.js';
import type { Module } from '../dsl/recipe/module.js';
import { shellFor, shellName } from '../dsl/recipe/script_shell.js';
import type { Task } from '../dsl/recipe/types.js';
import type { Span } from '../dsl/syntax/source.js';
import { type Value, writtenText } from '../dsl/syntax/values.js';

/** A script of a recipe, as written. */
interface WrittenScript {
  readonly value: Value;
  /** Its text, with each template replaced by a word. */
  readonly text: string;
  readonly shell: Shell;
  /** Whether the shell that reads it is known, and its text too: an image may have other shells, and a template other texts. */
  readonly isCertain: boolean;
}

type Shell = 'sh' | 'bash';

/** Maximum number of scripts to check. Each takes about 1 ms, so a check stays within its time limit. */
const mostScripts = 1000;

/**
 * The syntax errors of a recipe's scripts for sh and bash: errors where the text and the shell are known, warnings in a chroot and beside templates. One process of each
 * shell reads all its scripts; none of them is run. Without that shell on the host nothing is found.
 * @param known diagnostics of the recipe: a script that has one is left out, since a template in it cannot be replaced.
 */
export function scriptErrors(module: Module, known: readonly Diagnostic[]): Diagnostic[] {
  const unique = [...new Map([...scriptsOf(module)].map((script) => [script.value, script])).values()];
  const scripts = unique.filter(({ value }) => !known.some(({ span }) => isIn(span, value))).slice(0, mostScripts);
  return (['sh', 'bash'] as const).flatMap((shell) => {
    const own = scripts.filter((script) => script.shell === shell);
    const found = errorsOf(
      shell,
      own.map(({ text }) => text),
    );
    return own.flatMap((script, i) => diagnosticOf(script, found[i] ?? ''));
  });
}

/** Whether a place is in a value. */
function isIn(span: Span | undefined, { at }: Value): boolean {
  const { source, start, end } = at.document.spanOf(at.pointer);
  return span !== undefined && span.source.path === source.path && span.start >= start && span.start < end;
}

function* scriptsOf(module: Module): Generator<WrittenScript> {
  for (const child of module.children.values()) yield* scriptsOf(child);
  for (const task of module.recipe.tasks.values()) yield* scriptsOfTask(task);
}

function* scriptsOfTask({ action, in: chroot, preconditions, freshness }: Task): Generator<WrittenScript> {
  const commands = [...preconditions.map(({ sh }) => sh), ...(freshness?.status ?? [])];
  const scripts = action.type === 'run' ? [action.script, action.undo?.script, action.reopen] : [];
  for (const value of [...commands, ...scripts]) {
    const text = value && readableText(value);
    if (value === undefined || text === undefined) continue;
    const shell = commands.includes(value) ? 'sh' : grammarOf(shellFor(action.type === 'run' ? action.shell : undefined, text));
    if (shell !== undefined) yield { value, text, shell, isCertain: chroot === undefined && !opensText(value) };
  }
}

/** Whether a template of a script may be anything in the shell's grammar: `quote` alone always gives one word. */
function opensText(value: Value): boolean {
  return value.type === 'template' && /(?<!\\)\{\{~?(?!\s*quote\b)/.test(value.template.text);
}

/** The text of a script as the shell will read it; undefined if that depends on the run. */
function readableText(value: Value): string | undefined {
  const text = writtenText(value);
  // An alias or an option of the shell changes what follows in the script.
  if (/\b(alias|extglob)\b/.test(text)) return undefined;
  if (value.type !== 'template') return text;
  // Which branch of a block counts is not known.
  return /\{\{~?\s*([#^/]|else\b)/.test(text) ? undefined : text.replace(template, (found) => (found.startsWith('\\') ? found.slice(1) : 'x'));
}

/** A template, whose texts in quotes may contain braces. */
const template = /\\?\{\{(?:"[^"]*"|'[^']*'|(?!\}\})[\s\S])*\}\}/g;

/** The shell whose grammar a script has; undefined for another one, and where `-O` changes the grammar. */
function grammarOf(words: readonly string[]): Shell | undefined {
  if (words.slice(1).some((word) => /^[-+]O/.test(word))) return undefined;
  const name = shellName(words);
  return name === 'sh' || name === 'bash' ? name : undefined;
}

/** What a shell prints for each script: empty if it finds no error. */
function errorsOf(shell: Shell, texts: readonly string[]): string[] {
  if (texts.length === 0) return [];
  let end = 'CHROOTFILE_SCRIPT';
  while (texts.some((text) => text.includes(end))) end += '_';
  // After `set -n` a shell only parses. Each script has a subshell, since an error ends the shell.
  const input = texts.map((text) => `(. /dev/stdin) <<'${end}'\nset -n\n${text}\n${end}\necho "${end} $?" >&2\n`).join('');
  const { stderr, error } = spawnSync(shell, { input, encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' }, timeout: 60_000 });
  if (error !== undefined) return [];
  const printed = stderr.split(new RegExp(`^${end} (\\d+)\\n`, 'm'));
  return texts.map((_, i) => (Number(printed[2 * i + 1] ?? 0) === 0 ? '' : (printed[2 * i] ?? '')));
}

/** As printed by dash and busybox, and by bash: `sh: 4: /dev/stdin: Syntax error: …`, `/dev/stdin: line 4: syntax error …`. */
const shellMessage = /(?:(\d+): \/dev\/stdin|\/dev\/stdin: line (\d+)): (?:syntax error:? (?:near )?)?(.*)$/im;

function diagnosticOf({ value, text, isCertain }: WrittenScript, printed: string): Diagnostic[] {
  const [, dash, bash, detail] = shellMessage.exec(printed) ?? [];
  if (detail === undefined) return [];
  const lines = text.trimEnd().split('\n');
  // Its first line was `set -n`.
  const line = Math.min(Number(dash ?? bash) - 1, lines.length);
  // What follows these may not be shell, such as an archive.
  if (lines.slice(0, line - 1).some((each) => /^(exit|exec)\b/.test(each))) return [];
  const file = fileOf(value);
  return [
    {
      code: 'script',
      message: `syntax error in ${file === undefined ? 'the script' : `line ${line} of ${file}`}: ${detail}`,
      ...(isCertain ? {} : { severity: 'warning' as const }),
      span: file === undefined ? spanOfLine(value, line) : value.at.document.spanOf(`${value.at.pointer}/file`),
      help: isFolded(value) ? 'YAML joins the lines of a text after ">"; write "|"' : helpFor(detail),
    },
  ];
}

/** Whether a script is a text after `>`. */
function isFolded({ at: { document, pointer } }: Value): boolean {
  const { source, start } = document.spanOf(pointer);
  return source.text[start] === '>';
}

/** Advice for what a shell prints about a script. */
function helpFor(detail: string): string | undefined {
  const [, word] = /expecting "([^"]+)"/.exec(detail) ?? [];
  if (word !== undefined) return /^end of file/i.test(detail) ? `add "${word}" at the end` : `add "${word}" before it`;
  const [, mark] = /looking for matching [`']([^']+|')'/.exec(detail) ?? [];
  if (mark !== undefined) return `add the missing ${mark}`;
  if (/unterminated quoted/i.test(detail)) return 'add the missing quote';
  if (/^(end of file unexpected|unexpected end of file)/i.test(detail)) return 'complete the last command';
  const [, token] = /^"([^"]+)" unexpected$|unexpected token [`']([^']+)'/.exec(detail)?.filter((part) => part !== undefined) ?? [];
  return token === undefined ? undefined : `remove "${token}", or complete the command before it`;
}

/** The file that a script was taken from. */
function fileOf({ at: { document, pointer } }: Value): string | undefined {
  let written: unknown = document.value;
  for (const step of pointer.split('/').slice(1)) written = (written as Record<string, unknown> | undefined)?.[step];
  return (written as { file?: string } | undefined)?.file;
}

function spanOfLine(value: Value, line: number): Span {
  const text = value.type === 'template' ? value.template.text : value.type === 'literal' ? String(value.value) : '';
  const lines = text.split('\n');
  const written = lines[line - 1] ?? '';
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const indent = written.length - written.trimStart().length;
  return value.at.document.spanInside(value.at.pointer, start + indent, start + written.length);
}
