import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build, type Plugin } from 'esbuild';
import { kinds } from '../src/tasks/index.js';
import { makeAjv, schema } from '../src/tasks/validators.js';
import { noticesOf } from './notices.js';

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
        'const made = { recipe: all.recipe };',
        'export const validatorFor = (name) => (made[name] ??= all[name]());',
      ].join('\n'),
    }));
  },
};

/**
 * Lets esbuild leave out the shapes of the calls to EC2 that nothing makes, nine tenths of the SDK: it takes a key
 * that is computed, `{[_xN]: …}`, for one that may do something, so the text that the name stands for is put there.
 */
const fewerShapes: Plugin = {
  name: 'fewer shapes',
  setup(build) {
    build.onLoad({ filter: /@aws-sdk\/client-ec2\/dist-es\/schemas\/\w+\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const texts = new Map([...text.matchAll(/^const (_\w+) = (".*");$/gm)].map(([, name = '', value = '']) => [name, value]));
      return { contents: text.replace(/\[(_\w+)\]:/g, (key, name: string) => (texts.has(name) ? `${texts.get(name)}:` : key)) };
    });
  },
};

function exportName(name: string): string {
  return `__${name.replaceAll('.', '_')}`;
}

/** One validator in a scope of its own, since ajv names its helpers alike in all of them; that of a kind is made when first asked for. */
function code(name: string, of: object, forParams: boolean): string {
  const ajv = makeAjv({ forParams, source: true });
  const validate = ajv.compile(of);
  const standalone = (standaloneCode as unknown as { default: typeof standaloneCode }).default ?? standaloneCode;
  const source = (standalone as unknown as (a: unknown, v: unknown) => string)(ajv, validate);
  const [, main] = /export default (\w+);/.exec(source) ?? [];
  const body = source.replace('"use strict";', '').replace(/export (const validate = \w+|default \w+);/g, '');
  const make = `() => { ${body}; return ${main}; }`;
  return `const ${exportName(name)} = ${forParams ? make : `(${make})()`};`;
}

/** The SDK is loaded when EC2 is first asked; in bundles of their own, since only so what is not used of it is left out. */
const sdkApart: Plugin = {
  name: 'sdk apart',
  setup(build) {
    build.onResolve({ filter: /\/sdk(_\w+)?\.js$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path: `./${basename(path)}`, external: true } : undefined,
    );
  },
};

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
rmSync('dist', { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: {
    main: 'src/cli/bootstrap.ts',
    program: 'src/cli/main.ts',
    ...Object.fromEntries(['sdk', 'sdk_credentials', 'sdk_ebs', 'sdk_metadata', 'sdk_sts'].map((name) => [name, `src/aws/${name}.ts`])),
  },
  outdir: 'dist',
  bundle: true,
  format: 'cjs',
  platform: 'node',
  // The SDK's ES modules: what is not used of them is left out.
  mainFields: ['module', 'main'],
  target: 'node20.19',
  // By require, which start.ts gives to what it loads.
  supported: { 'dynamic-import': false },
  minifySyntax: true,
  minifyWhitespace: true,
  // Licenses are in a file beside the bundles.
  legalComments: 'none',
  metafile: true,
  // For the report of an error nobody foresaw; the program itself does not know of them.
  sourcemap: 'external',
  sourcesContent: false,
  logLevel: 'warning',
  // What modules know of themselves, said as CommonJS says it.
  define: { VERSION: JSON.stringify(version), 'import.meta.dirname': '__dirname', 'import.meta.url': '__url' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  plugins: [compiledValidators, fewerShapes, sdkApart],
});
writeFileSync('dist/THIRD-PARTY-NOTICES', noticesOf(metafile));
writeFileSync('dist/package.json', '{"type": "commonjs"}\n');

// What V8 makes of the bundles is kept beside them. A run is what needs most of them; without root there is only a check.
const state = mkdtempSync(join(tmpdir(), 'chrootfile-build-'));
const own = Object.entries(process.env).filter(([name]) => !/^(CHROOTFILE|AWS|NODE)_/.test(name));
const env = { ...Object.fromEntries(own), CHROOTFILE_WRITE_CACHE: '1', CHROOTFILE_STATE: state };
for (const verb of process.getuid?.() === 0 ? ['check', 'run'] : ['check']) {
  const { status, stderr } = spawnSync('bin/chrootfile', [verb, 'scripts/warm.yml'], { env, timeout: 60_000, killSignal: 'SIGKILL', encoding: 'utf8' });
  if (status !== 0) console.warn(`starts will be slower: ${verb} of scripts/warm.yml failed\n${stderr ?? ''}`);
}
rmSync(state, { recursive: true });
