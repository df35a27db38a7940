import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { schema } from '../src/tasks/validators.js';

/** Files made from the kinds. With `--check`: fails when one is not as it would be made. */
const files = { 'schemas/recipe.schema.json': `${JSON.stringify(schema, undefined, 2)}\n` };

for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) {
    mkdirSync('schemas', { recursive: true });
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file} is not what the kinds say: npm run generate`);
    process.exitCode = 1;
  }
}
