import { hintFor } from '../../dsl/diagnostics/suggest.js';
import type { AnyKind } from '../../runtime/engine/kind.js';
import { kinds as all } from '../../tasks/index.js';
import { ExitError, exits } from '../exit_codes.js';
import { exampleOf, type ManualRow, rowsOf, undoOf } from '../reference.js';
import { print, printJson, styled, table } from '../terminal/output.js';
import { jsonOption, type Verb } from '../verbs.js';

/** Declares `chrootfile kinds`. */
export const verb: Verb = (program) => {
  program
    .command('kinds')
    .description('list the built-in kinds of tasks, or print the manual of one')
    .argument('[kind]', 'kind to explain, e.g. mount')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  chrootfile kinds\n  chrootfile kinds ec2.volume')
    .action((kind: string | undefined, options) => kinds(kind, options.json));
};

/** `chrootfile kinds`: the built-in kinds, or the manual page of one. */
function kinds(name: string | undefined, json: boolean): void {
  if (name === undefined) {
    if (json) return printJson(all.map(recordOf));
    return print(...table([['KIND', 'LIFETIME', 'SUMMARY'], ...all.map((kind) => [kind.name, kind.lifetime, kind.summary])]));
  }
  const kind = all.find((k) => k.name === name);
  if (kind === undefined) {
    const names = all.map((k) => k.name);
    throw new ExitError(exits.invalid, `unknown kind "${name}"\n  help: ${hintFor(name, names)}`);
  }
  if (json) return printJson(recordOf(kind));
  print(...manualPage(kind).join('\n\n').split('\n'));
}

/** Sections, in the order of a manual page. */
function manualPage(kind: AnyKind): string[] {
  const section = (title: string, lines: readonly string[]) => `${styled('bold', title)}\n${lines.join('\n')}`;
  const list = (rows: readonly ManualRow[]) => (rows.length === 0 ? ['    none'] : rows.flatMap((row) => rowText(row, '    ')));
  const tools = Object.entries(kind.tools).map(([program, from]) => `${program} (package ${from})`);
  return [
    section('NAME', [`    ${kind.name} - ${kind.summary}`]),
    section('DESCRIPTION', wrapped(kind.docs, '    ')),
    section('WITH', list(rowsOf(kind.params))),
    section('OUTPUTS', list(rowsOf({ ...kind.outputs, required: [] }))),
    section('IN', [kind.in === 'required' ? '    Names the chroot it works in; required.' : '    Runs on the host; it takes no "in".']),
    section('UNDO', wrapped(undoOf(kind), '    ')),
    ...(tools.length === 0 ? [] : [section('PROGRAMS OF THE HOST', wrapped(tools.join(', '), '    '))]),
    section(
      'EXAMPLE',
      exampleOf(kind)
        .split('\n')
        .map((line) => `    ${line}`),
    ),
  ];
}

function rowText({ name, type, facts, description, rows }: ManualRow, indent: string): string[] {
  return [
    `${indent}${styled('bold', name)}  ${type}${facts.length === 0 ? '' : `; ${facts.join('; ')}`}`,
    ...wrapped(description, `${indent}    `),
    ...rows.flatMap((row) => rowText(row, `${indent}    `)),
  ];
}

/** Text in lines of 100 columns at most, or of the terminal where that is narrower. */
function wrapped(text: string, indent: string): string[] {
  const width = Math.min(process.stdout.columns || 100, 100) - indent.length;
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => indent + line);
}

function recordOf(kind: AnyKind) {
  const { name, summary, docs, lifetime, params, outputs, freezes, undoes, example, tools } = kind;
  return { name, summary, docs, lifetime, in: kind.in, undo: undoes, freezes, with: params, outputs, tools, example };
}
