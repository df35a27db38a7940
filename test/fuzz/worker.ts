import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../../src/dsl/diagnostics/catalogue.js';
import { formatDiagnostic, RecipeError, sortDiagnostics } from '../../src/dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../src/dsl/plan/plan.js';
import { loadModule } from '../../src/dsl/recipe/module.js';
import { linkModule } from '../../src/dsl/resolve/link.js';
import { limits } from '../../src/dsl/syntax/limits.js';
import { readRegularFile } from '../../src/linux/regular_file.js';
import { language } from '../../src/tasks/language.js';
import { repository } from '../support/program.js';
import { mutatedRecipe } from './mutations.js';

// Checks the recipes of seeds FROM to UNTIL in this process. Prints `SEED` before each, and `SEED: why` where it fails.

const [from, until, slowMs] = process.argv.slice(2).map(Number) as [number, number, number];
/** Where libraries of the shipped recipes are found. */
const file = join(repository, 'recipes/r.yml');

for (let seed = from; seed < until; seed += 1) {
  writeSync(1, `${seed}\n`);
  const started = performance.now();
  const why = faultOf(mutatedRecipe(seed));
  const ms = performance.now() - started;
  if (why !== undefined) writeSync(1, `${seed}: ${why.replaceAll('\n', ' ')}\n`);
  else if (ms > slowMs) writeSync(1, `${seed}: took ${Math.round(ms)} ms\n`);
}

/** What the checker does with a text that it must not: anything but diagnostics of the catalogue, or none. */
function faultOf(text: string): string | undefined {
  try {
    const read = (path: string) => (path === file ? text : readRegularFile(path, limits.fileBytes).toString('utf8'));
    const resolvePackage = (name: string) => {
      throw new Error(`no package ${name}`);
    };
    const { module, diagnostics } = loadModule(file, language, { read, builtIn: join(repository, 'recipes/lib'), resolvePackage, show: (path) => path });
    const inputs = new Map([...module.recipe.inputs].map(([name, input]) => [name, input.default]));
    makePlan(module, linkModule(module, diagnostics, { inputs, environment: (name) => (name === 'HOME' ? '/root' : undefined) }), []);
    return undefined;
  } catch (error) {
    if (!(error instanceof RecipeError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const diagnostic of sortDiagnostics(error.diagnostics)) {
      if (!Object.hasOwn(catalogue, diagnostic.code)) return `a diagnostic of no known code: ${diagnostic.code}`;
      if (/internal error|call stack|\[object/.test(formatDiagnostic(diagnostic).split('\n')[0] ?? '')) return formatDiagnostic(diagnostic);
    }
    return error.diagnostics.length === 0 ? 'an error without a diagnostic' : undefined;
  }
}
