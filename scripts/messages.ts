import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type GivenInputs, inputsOf, loadRecipe } from '../src/cli/recipe_file.js';
import { catalogue } from '../src/dsl/diagnostics/catalogue.js';
import type { CatalogueEntry } from '../src/dsl/diagnostics/catalogue_entry.js';
import { type Diagnostic, formatDiagnostic, RecipeError, sortDiagnostics } from '../src/dsl/diagnostics/diagnostic.js';
import { makePlan } from '../src/dsl/plan/plan.js';

/**
 * docs/messages.md: every error and warning, with a recipe that has it, the message, and the fixed recipe.
 * @throws Error when an example does not have its error, or the fixed one has an error.
 */
export function messages(): string {
  const entries = Object.entries(catalogue).sort(([a], [b]) => (a < b ? -1 : 1));
  return `# Error messages

The errors and warnings that chrootfile prints for recipes and command lines, by the code in brackets at the end of each
message. \`chrootfile explain CODE\` prints an entry. \`chrootfile check\` reports all errors of a recipe and its libraries at once;
\`--format json\` is for programs, \`--format github\` for annotations in GitHub Actions. Each recipe begins with \`version: 1\`,
which the page omits. \`npm run generate\` creates this page from the catalogue of the program and tests every example.

${entries.map(([code, entry]) => entryText(code, entry)).join('\n')}`;
}

function entryText(code: string, entry: CatalogueEntry): string {
  const [wrongWords, rightWords] = entry.typed ?? ['', ''];
  const found = diagnosticsIn(entry, entry.wrong, wrongWords);
  if (!found.some((each) => each.code === code))
    throw new Error(`the catalogue's wrong recipe for ${code} has: ${found.map((each) => each.code).join(', ') || 'no error'}`);
  const right = diagnosticsIn(entry, entry.right, rightWords);
  if (right.length > 0) throw new Error(`the catalogue's right recipe for ${code} is wrong: ${right.map((each) => each.message).join('; ')}`);
  if (found.every(({ severity }) => severity === 'warning') !== (entry.warning === true)) throw new Error(`the catalogue has ${code} wrong: is it a warning?`);
  const block = (text: string, words: string) => `\`\`\`yml\n${text}\n\`\`\`${words === '' ? '' : `\n\n    chrootfile plan r.yml ${words}`}`;
  const printed = sortDiagnostics(found).map(formatDiagnostic).join('\n').trimEnd();
  return `## ${code}

${entry.means}

${block(entry.wrong, wrongWords)}

\`\`\`text
${printed}
\`\`\`

Right:

${block(entry.right, rightWords)}
`;
}

function diagnosticsIn({ files = {} }: CatalogueEntry, recipe: string, words: string): readonly Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-messages-'));
  const before = process.cwd();
  try {
    // "version" comes last, so that line numbers match the lines that are shown.
    const text = /^version:/m.test(recipe) ? recipe : `${recipe}\nversion: 1`;
    for (const [name, content] of Object.entries({ ...files, 'r.yml': `${text}\n` })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    process.chdir(folder);
    const [option, given = ''] = words.split(' ');
    return diagnosticsOf(words === '' ? {} : { [option === '-i' ? 'input' : 'inputs']: [given] });
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
}

function diagnosticsOf(given: GivenInputs): readonly Diagnostic[] {
  try {
    const loaded = loadRecipe('r.yml', given);
    const { warnings } = makePlan(loaded.module, loaded.tasks, []);
    if (given.input !== undefined || given.inputs !== undefined) inputsOf(loaded);
    return warnings;
  } catch (error) {
    if (error instanceof RecipeError) return error.diagnostics;
    throw error;
  }
}
