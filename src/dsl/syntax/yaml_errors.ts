import type { YAMLError } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { misreadValue } from './misread_value.js';
import { rareError } from './rare_yaml_errors.js';
import { isShown, positionOf, type Source } from './source.js';
import { unclosedIn } from './unclosed.js';
import { type Found, Line, quoted } from './yaml_line.js';

/**
 * The first YAML error of a text in this project's words, at the place to change; the library often reports
 * a later place. Later errors are mostly consequences of the first one.
 */
export function yamlDiagnostic(source: Source, errors: readonly YAMLError[]): Diagnostic | undefined {
  const [error] = [...errors].sort((a, b) => a.pos[0] - b.pos[0]);
  if (error === undefined) return undefined;
  const { message, start, end = start + 1, help } = described(source, error);
  // Messages must not show anything of a file that is not a recipe.
  return { code: 'yaml', message, span: { source, start, end }, help: isShown(source) ? help : undefined };
}

function described(source: Source, { code, pos, message }: YAMLError): Found {
  const [start, end] = pos;
  const line = new Line(source, positionOf(source, start).line);
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'tabs cannot indent YAML', start, help: 'indent with spaces' };
    case 'BAD_SCALAR_START':
      return { message: `a value cannot begin with "${source.text[start]}"`, start, help: reservedHelp(line.key, line.from(start)) };
    case 'TAG_RESOLVE_FAILED':
      return { message: '"!" begins a tag, and recipes have no tags', start, end, help: `quote the text: ${quoted(line.from(start))}` };
    case 'BAD_DQ_ESCAPE': {
      const escape = source.text.slice(start, start + 2);
      return { message: `"${escape}" is not an escape sequence in double quotes`, start, end: start + 2, help: `write \\${escape}, or use single quotes` };
    }
  }
  if (/^Unexpected , in flow/.test(message)) return { message: 'there is one , too many', start, help: 'remove it' };
  if (code === 'BLOCK_IN_FLOW' && /^\s*- /.test(line.text)) return { ...rareError(message), start, end };
  return (
    unquoted(start, line) ??
    misreadValue(line) ??
    unclosedIn(source.text, start) ??
    badIndent(source, line) ??
    colonInText(line, code) ?? { ...rareError(message), start, end }
  );
}

function unquoted(offset: number, line: Line): Found | undefined {
  const [, before = '', template] = /^(.*?(?::|-)\s+)(\{\{.*)$/.exec(line.text) ?? [];
  if (template !== undefined) {
    const start = line.at(before.length);
    return { message: 'a value that begins with "{{" must be quoted', start, end: start + 2, help: `write ${quoted(template.trimEnd())}` };
  }
  const name = /[a-z0-9_-]+\[[a-z0-9_]+=[^\]]*\]/.exec(line.text);
  if (name === null) return undefined;
  return { message: 'the name of an instance must be quoted', start: offset, help: `write "${name[0]}"` };
}

/** A line that is indented differently from those it belongs to. */
function badIndent(source: Source, near: Line): Found | undefined {
  return [near, new Line(source, near.number + 1)]
    .map((line) => inBlockScalar(line) ?? withoutDash(line) ?? besideKeys(line))
    .find((found) => found !== undefined);
}

/** A line that should be part of a script after `|`, but is indented too little. */
function inBlockScalar(line: Line): Found | undefined {
  let inside: Line | undefined;
  for (let above = line.above(); above !== undefined; above = above.above()) {
    if (/[:-]\s+[|>][+-]?\d?\s*(#.*)?$/.test(above.text)) {
      const first = inside?.indent ?? above.indent + 2;
      // Skips the lines of correct scripts, and a key that follows one.
      if (line.key !== undefined || line.indent >= first) return undefined;
      const message =
        inside === undefined
          ? `the text after "${above.key ?? '-'}: |" is not indented`
          : 'this line is indented less than the text it belongs to, which ends here';
      const help = `indent each line of the text by at least ${first} spaces`;
      return { message, start: line.at(line.indent), end: line.at(line.text.length), help };
    }
    if (above.indent < line.indent && above.key !== undefined) return undefined;
    inside = above;
  }
  return undefined;
}

/** A line in the column of the dashes of a list, without one. */
function withoutDash(line: Line): Found | undefined {
  const dash = /^( *)- /.exec(line.above()?.text ?? '')?.[1]?.length;
  const text = line.text.trim();
  if (dash !== line.indent || line.key !== undefined || /^(-|#|$)/.test(text)) return undefined;
  const start = line.at(line.indent);
  return { message: 'this line of a list does not begin with "-"', start, end: start + text.length, help: `write - ${text}` };
}

function besideKeys(line: Line): Found | undefined {
  const above = line.above();
  if (line.key === undefined || above === undefined) return undefined;
  const [start, end] = [line.at(line.indent), line.at(line.indent + line.key.length)];
  if (above.key !== undefined && above.value !== '' && !/^[|>&]/.test(above.value) && line.indent > above.indent) {
    const message = `"${line.key}" is indented more than "${above.key}", which has a value already`;
    const help =
      above.indent === 0
        ? `begin "${line.key}" at the left margin, like "${above.key}"`
        : `indent "${line.key}" by ${spaces(above.indent)}, like "${above.key}"`;
    return { message, start, end, help };
  }
  if (above.key !== undefined && line.indent > above.indent) return undefined;
  const levels = levelsAbove(line);
  if (/^ *- /.test(above.text) && levels.dash === line.indent)
    return { message: `"${line.key}" cannot follow list items at the same level`, start, end, help: 'write a list or keys, not both' };
  if (levels.keys.has(line.indent)) return undefined;
  const [nearest] = [...levels.keys].sort(([a], [b]) => Math.abs(a - line.indent) - Math.abs(b - line.indent));
  if (nearest === undefined) return undefined;
  const message = `"${line.key}" is indented by ${spaces(line.indent)}, and no key above it is`;
  return { message, start, end, help: `indent it by ${spaces(nearest[0])}, like "${nearest[1]}"` };
}

/** The indentations of the keys, and of the dashes above, that a line could belong to. */
function levelsAbove(line: Line): { keys: Map<number, string>; dash: number | undefined } {
  const keys = new Map<number, string>();
  let dash: number | undefined;
  let least = Infinity;
  for (let above = line.above(); above !== undefined && least > 0; above = above.above()) {
    if (above.indent >= least) continue;
    least = above.indent;
    if (above.key !== undefined) keys.set(above.indent, above.key);
    if (/^ *- /.test(above.text)) dash ??= /^ */.exec(above.text)?.[0].length;
  }
  return { keys, dash };
}

function colonInText(line: Line, code: string): Found | undefined {
  const [, before = '', value = ''] = /^([^:]*:\s+)([^"'[{].*:(?:\s.*)?)$/.exec(line.text) ?? [];
  if (code !== 'BLOCK_AS_IMPLICIT_KEY' || value === '') return undefined;
  const start = line.at(before.length);
  return { message: 'a text with ": " in it must be quoted', start, end: start + value.length, help: `write ${quoted(value)}` };
}

function reservedHelp(key: string | undefined, value: string): string {
  const [, command] = /^`([^`]*)`$/.exec(value) ?? [];
  if (command !== undefined && (key === 'run' || key === 'sh')) return `a script needs no backticks: ${key}: ${command}`;
  return command === undefined ? `quote it: ${quoted(value)}` : `write {sh: ${quoted(command)}} under "vars" for the output of a command`;
}

function spaces(count: number): string {
  return `${count} space${count === 1 ? '' : 's'}`;
}
