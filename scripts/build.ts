import { readFileSync, rmSync } from 'node:fs';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build, type Plugin } from 'esbuild';
import { kinds } from '../src/tasks/index.js';
import { makeAjv, schema } from '../src/tasks/validators.js';

/** Puts validators compiled ahead where the sources compile them: ajv and its time are not in the program. */
const compiledValidators: Plugin = {
  name: 'compiled validators',
  setup(build) {
    build.onLoad({ filter: /src\/tasks\/validators\.ts$/ }, () => ({
      loader: 'js',
      resolveDir: process.cwd(),
      contents: [
        code('recipe', schema, false),
        ...kinds.map((kind) => code(kind.name, kind.params, true)),
        `export const schema = ${JSON.stringify(schema)};`,
        `const all = { recipe: __recipe, ${kinds.map((kind) => `${JSON.stringify(kind.name)}: ${exportName(kind.name)}`).join(', ')} };`,
        'export const validatorFor = (name) => all[name];',
      ].join('\n'),
    }));
  },
};

function exportName(name: string): string {
  return `__${name.replaceAll('.', '_')}`;
}

/** One validator in a scope of its own, since ajv names its helpers alike in all of them. */
function code(name: string, of: object, forParams: boolean): string {
  const ajv = makeAjv({ forParams, source: true });
  const validate = ajv.compile(of);
  const standalone = (standaloneCode as unknown as { default: typeof standaloneCode }).default ?? standaloneCode;
  const source = (standalone as unknown as (a: unknown, v: unknown) => string)(ajv, validate);
  const [, main] = /export default (\w+);/.exec(source) ?? [];
  const body = source.replace('"use strict";', '').replace(/export (const validate = \w+|default \w+);/g, '');
  return `const ${exportName(name)} = (() => { ${body}; return ${main}; })();`;
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/cli/main.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  // The SDK's ES modules: what is not used of them is left out.
  mainFields: ['module', 'main'],
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  define: { VERSION: JSON.stringify(version) },
  // Bundled CommonJS asks for Node's own modules by require.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  plugins: [compiledValidators],
});
