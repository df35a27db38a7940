import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadRecipe } from '../../src/cli/recipe_file.js';
import { type Diagnostic, formatDiagnostic, RecipeError, sortDiagnostics } from '../../src/dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../src/dsl/plan/plan.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

/** Recipes as people who know another tool would write them, one file for each tool; each with its mistake and what is printed. */
const corpus = join(import.meta.dirname, 'mistakes');

interface Case {
  readonly title: string;
  readonly recipe: string;
  readonly printed: string;
}

/** `=== TITLE`, the recipe, `--- printed`, and what `check` prints. */
function casesOf(file: string): Case[] {
  const cases = readFileSync(join(corpus, file), 'utf8').split(/^=== /m).slice(1);
  return cases.map((text) => {
    const [all = '', printed = ''] = text.split(/^--- printed\n/m);
    const end = all.indexOf('\n') + 1;
    return { title: all.slice(0, end).trim(), recipe: all.slice(end), printed };
  });
}

/** What is wrong with a recipe, as `check` prints it. */
function printedFor(recipe: string): Promise<string> {
  return inFolder({ 'r.yml': recipe }, (folder) => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      return sortDiagnostics(diagnosticsIn('r.yml')).map(formatDiagnostic).join('\n');
    } finally {
      process.chdir(before);
    }
  });
}

function diagnosticsIn(file: string): readonly Diagnostic[] {
  try {
    const { module, tasks } = loadRecipe(file);
    return makePlan(module, tasks, []).warnings;
  } catch (error) {
    if (error instanceof RecipeError) return error.diagnostics;
    throw error;
  }
}

suite('mistakes', (test) => {
  const files = readdirSync(corpus).sort();
  for (const file of files) {
    test(`${file}: each is reported with exactly these words (npm run golden writes them anew)`, async () => {
      const texts: string[] = [];
      for (const { title, recipe } of casesOf(file)) {
        const printed = await printedFor(recipe);
        assert.not.equal(printed, '', `${title}: nothing is reported`);
        texts.push(`=== ${title}\n${recipe}--- printed\n${printed}\n`);
      }
      const text = texts.join('');
      if (process.env['GOLDEN'] === 'write') writeFileSync(join(corpus, file), text);
      assert.fixture(text, readFileSync(join(corpus, file), 'utf8'));
    });
  }

  test('there are at least 139, and each has a help or a note', () => {
    const all = files.flatMap((file) => casesOf(file));
    assert.ok(all.length >= 139, `${all.length} mistakes`);
    const bare = all.filter(({ printed }) => !/^ {2}(help|note): /m.test(printed));
    assert.equal(
      bare.map(({ title }) => title),
      [],
    );
    assert.is(new Set(all.map(({ title, recipe }) => `${title}\n${recipe}`)).size, all.length);
  });
});
