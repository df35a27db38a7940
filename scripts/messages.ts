import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type GivenInputs, inputsOf, loadRecipe } from '../src/cli/recipe_file.js';
import { type CatalogueEntry, catalogue } from '../src/dsl/diagnostics/catalogue.js';
import { type Diagnostic, formatDiagnostic, RecipeError, sortDiagnostics } from '../src/dsl/diagnostics/diagnostic.js';
import { makePlan } from '../src/dsl/plan/plan.js';

/**
 * docs/messages.md: every fault, with a recipe that has it, what is said of that, and the same put right.
 * @throws Error when a recipe of the catalogue is not as wrong, or not as right, as it should be.
 */
export function messages(): string {
  const entries = Object.entries(catalogue).sort(([a], [b]) => (a < b ? -1 : 1));
  return `# Messages

What can be wrong with a recipe, or with what is typed, by the word at the end of each message; made from the catalogue of
the program by \`npm run generate\`, which tries every example. All faults of a recipe and its libraries are told at once;
\`chrootfile check --format json\` and \`--format github\` tell the same to programs and to GitHub. Each recipe begins with
\`version: 1\`, which is left out here.

${entries.map(([code, entry]) => entryText(code, entry)).join('\n')}`;
}

function entryText(code: string, entry: CatalogueEntry): string {
  const [wrongWords, rightWords] = entry.typed ?? ['', ''];
  const said = faultsIn(entry, entry.wrong, wrongWords);
  if (!said.some((fault) => fault.code === code))
    throw new Error(`the catalogue's wrong recipe for ${code} has: ${said.map((fault) => fault.code).join(', ') || 'no fault'}`);
  const right = faultsIn(entry, entry.right, rightWords);
  if (right.length > 0) throw new Error(`the catalogue's right recipe for ${code} is wrong: ${right.map((fault) => fault.message).join('; ')}`);
  if (said.every(({ severity }) => severity === 'warning') !== (entry.warning === true)) throw new Error(`the catalogue has ${code} wrong: is it a warning?`);
  const block = (text: string, words: string) => `\`\`\`yml\n${text}\n\`\`\`${words === '' ? '' : `\n\n    chrootfile plan r.yml ${words}`}`;
  const told = sortDiagnostics(said).map(formatDiagnostic).join('\n').trimEnd();
  return `## ${code}

${entry.means}

${block(entry.wrong, wrongWords)}

\`\`\`text
${told}
\`\`\`

Right:

${block(entry.right, rightWords)}
`;
}

function faultsIn({ files = {} }: CatalogueEntry, recipe: string, words: string): readonly Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-messages-'));
  const before = process.cwd();
  try {
    // Only the lines that are shown, so that the message's line is the one that is seen.
    const text = /^version:/m.test(recipe) ? recipe : `${recipe}\nversion: 1`;
    for (const [name, content] of Object.entries({ ...files, 'r.yml': `${text}\n` })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    process.chdir(folder);
    const [option, given = ''] = words.split(' ');
    return faultsOf(words === '' ? {} : { [option === '-i' ? 'input' : 'inputs']: [given] });
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
}

function faultsOf(given: GivenInputs): readonly Diagnostic[] {
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
