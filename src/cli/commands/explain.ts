import { catalogue } from '../../dsl/diagnostics/catalogue.js';
import type { CatalogueEntry } from '../../dsl/diagnostics/catalogue_entry.js';
import { nearest } from '../../dsl/diagnostics/nearest.js';
import { ExitError, exits } from '../exit_codes.js';
import { print, styled, table } from '../terminal/output.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile explain`. */
export const verb: Verb = (program) => {
  program
    .command('explain')
    .description('explain an error or a warning by its code, with a wrong and a corrected recipe')
    .argument('[code]', 'code at the end of the message, e.g. unknown-key (default: list all codes)')
    .addHelpText('after', '\nExamples:\n  chrootfile explain unknown-key\n  chrootfile explain')
    .action(explain);
};

const entries: Readonly<Record<string, CatalogueEntry>> = catalogue;

/** The codes of all errors and warnings, sorted. */
export const codes: readonly string[] = Object.keys(entries).sort();

/** `chrootfile explain`: what an error means, or all errors, one per line. */
function explain(code: string | undefined): void {
  if (code === undefined) return print(...table([['CODE', 'MEANING'], ...codes.map((each) => [each, firstSentence(entries[each]?.means ?? '')])]));
  // As printed in a message: [unknown-key].
  const name = code.replace(/^\[|\]$/g, '');
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry === undefined) {
    const near = nearest(name, codes);
    throw new ExitError(
      exits.invalid,
      `unknown code "${name}"\n  help: ${near === undefined ? '"chrootfile explain" lists all codes' : `did you mean "${near}"?`}`,
    );
  }
  print(...pageOf(name, entry));
}

function pageOf(code: string, { means, warning, wrong, right, typed, files = {} }: CatalogueEntry): string[] {
  const recipe = (text: string) => text.split('\n').map((line) => `    ${line}`);
  const command = (words: string | undefined) => (words === undefined ? [] : ['', `    chrootfile plan r.yml ${words}`]);
  const others = Object.entries(files).flatMap(([file, text]) => ['', styled('bold', `The file ${file}`), '', ...recipe(text.trimEnd())]);
  return [
    `${styled('bold', code)} (${warning ? 'warning' : 'error'})`,
    '',
    means,
    '',
    styled('bold', 'Wrong'),
    '',
    ...recipe(wrong),
    ...command(typed?.[0]),
    '',
    styled('bold', 'Right'),
    '',
    ...recipe(right),
    ...command(typed?.[1]),
    ...others,
  ];
}

function firstSentence(text: string): string {
  return text.replace(/(?<=\w[`)]?)\. .*$/s, '.');
}
