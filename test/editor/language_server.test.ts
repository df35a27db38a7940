import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Editor, type Position, withEditor } from '../support/editor.js';
import { inFolder } from '../support/folder.js';
import { repository, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';
import { type Case, completions, faults, fixes, hovers, library, namedCompletions, namedFaults, namedHovers, recipe } from './places.js';

/** A text with `|` where the cursor is, under the line that names its schema. */
function cursor(marked: string, schema: string): { text: string; at: Position } {
  const at = marked.search(/\|(?!\n {6,}apt)/);
  const whole = `# yaml-language-server: $schema=${schema}\n${marked}`;
  const offset = whole.length - marked.length + at;
  const before = whole.slice(0, offset).split('\n');
  return { text: whole.slice(0, offset) + whole.slice(offset + 1), at: { line: before.length - 1, character: (before.at(-1) ?? '').length } };
}

/** Asks an editor about every place; `path`: the recipe, with its schema at `schema`. */
interface Desk {
  readonly editor: Editor;
  readonly path: string;
  readonly schema: string;
}

async function offers({ editor, path, schema }: Desk, cases: readonly Case[]): Promise<void> {
  for (const { sort, marked, expect, without = [] } of cases) {
    const { text, at } = cursor(marked, schema);
    const labels = await editor.completion(path, text, at);
    for (const label of expect) assert.ok(labels.includes(label), `${sort}: no ${label} among ${labels.join(', ')}\n${text}`);
    for (const label of without) assert.not.ok(labels.includes(label), `${sort}: ${label} in ${labels.join(', ')}\n${text}`);
  }
}

async function shows({ editor, path, schema }: Desk, cases: readonly Case[]): Promise<void> {
  for (const { sort, marked, expect } of cases) {
    const { text, at } = cursor(marked, schema);
    const said = await editor.hover(path, text, at);
    for (const piece of expect) assert.ok(said.includes(piece), `${sort}: "${said}"`);
    assert.not.ok(said.includes(' || '), `${sort}: one text, not those of all branches: "${said}"`);
  }
}

async function pointsAt({ editor, path, schema }: Desk, cases: readonly Case[]): Promise<void> {
  for (const { sort, marked, expect } of cases) {
    const { text, at } = cursor(marked, schema);
    const said = await editor.diagnostics(path, text);
    for (const piece of expect) {
      const found = said.find((diagnostic) => diagnostic.message.startsWith(piece));
      assert.ok(found, `${sort}: ${JSON.stringify(said.map((diagnostic) => diagnostic.message))}`);
      assert.equal(found?.range.start, at, `${sort}: the place`);
    }
  }
}

/** The table of all places, as it stands in the manual. */
function table(): string {
  const rows = [
    ...[...completions, ...namedCompletions].map((each) => ({ ...each, how: 'offers' })),
    ...[...hovers, ...namedHovers].map((each) => ({ ...each, how: 'shows' })),
    ...[...faults, ...namedFaults].map((each) => ({ ...each, how: 'marks it' })),
    ...fixes.map((each) => ({ ...each, how: 'fixes it with' })),
  ];
  const line = ({ sort, marked, expect, how }: (typeof rows)[number], i: number) => {
    const { text, at } = cursor(marked, '');
    const lines = text.split('\n');
    const written = lines[at.line] ?? '';
    const here = `${written.slice(0, at.character)}▮${written.slice(at.character)}`.trim();
    // An empty line says little without the one above it.
    const place = here.replace('- ', '') === '▮' ? `${(lines[at.line - 1] ?? '').trim()} ⏎ ${here}` : here;
    const code = (plain: string) => `\`${plain.replaceAll('|', '\\|')}\``;
    return `| ${i + 1} | ${sort} | ${code(place)} | ${how} | ${expect.map(code).join(', ')} |`;
  };
  return ['| | what | where (▮: the cursor) | the editor | for example |', '| --- | --- | --- | --- | --- |', ...rows.map(line)].join('\n');
}

suite('yaml-language-server', (test) => {
  test(
    'has nothing to say about any shipped recipe',
    () =>
      withEditor(repository, async (editor) => {
        const files = readdirSync(join(repository, 'recipes'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yml'));
        for (const file of files) {
          const shipped = join(repository, 'recipes', file);
          assert.equal(await editor.diagnostics(shipped, readFileSync(shipped, 'utf8')), [], file);
        }
        assert.ok(files.length >= 7);
      }),
    60_000,
  );

  test(
    'by the schema of all recipes: completes, shows and marks what any recipe has',
    () =>
      withEditor(repository, async (editor) => {
        const desk = { editor, path: join(repository, 'recipes/case.yml'), schema: '../schemas/recipe.schema.json' };
        await offers(desk, completions);
        await shows(desk, hovers);
        await pointsAt(desk, faults);
      }),
    60_000,
  );

  const all = [...completions, ...namedCompletions, ...hovers, ...namedHovers, ...faults, ...namedFaults, ...fixes];
  test(
    `by the schema of one recipe: names too, and quick fixes for typos, at ${all.length} places of ${new Set(all.map(({ sort }) => sort)).size} sorts`,
    () =>
      inFolder({ 'r.yml': recipe, 'lib.yml': library }, async (folder) => {
        assert.is((await run(['schema', '--write', 'r.yml'], { folder })).stdout, '.chrootfile/r.schema.json\n');
        assert.is((await run(['check', 'r.yml'], { folder })).code, 0);
        await withEditor(repository, async (editor) => {
          const desk = { editor, path: join(folder, 'r.yml'), schema: '.chrootfile/r.schema.json' };
          assert.equal(await editor.diagnostics(desk.path, `# yaml-language-server: $schema=${desk.schema}\n${recipe}`), []);
          await offers(desk, [...completions, ...namedCompletions]);
          await shows(desk, [...hovers, ...namedHovers]);
          await pointsAt(desk, [...faults, ...namedFaults]);
          for (const { sort, marked, expect } of fixes) {
            const { text, at } = cursor(marked, desk.schema);
            const offered = await editor.fixes(desk.path, text, at);
            for (const title of expect)
              assert.ok(
                offered.some((each) => each.replaceAll('"', '') === title),
                `${sort}: ${offered.join(', ')}`,
              );
          }
          // What is offered as a value is put there with its quotes.
          const { text, at } = cursor(`${recipe}outputs:\n  image: |\n`, desk.schema);
          assert.is(await editor.inserted(desk.path, text, at, '{{ ami.image_id }}'), '"{{ ami.image_id }}"');
        });
        assert.ok(all.length >= 60);
        assert.ok(new Set(all.map(({ sort }) => sort)).size >= 12);
      }),
    120_000,
  );

  test('the table of these places in docs/editors.md is right (npm run golden writes it anew)', () => {
    const page = join(repository, 'docs/editors.md');
    const text = readFileSync(page, 'utf8');
    const [before = ''] = text.split('\n| | what');
    const whole = `${before}\n${table()}\n`;
    if (process.env['GOLDEN'] === 'write') writeFileSync(page, whole);
    else assert.fixture(text, whole);
  });

  test('schema --write follows the recipe: what a new task is called is offered at once', () =>
    inFolder({ 'chrootfile.yml': recipe, 'lib.yml': library }, async (folder) => {
      await run(['schema', '--write'], { folder });
      assert.not.ok(goalsOf(folder).includes('more'));
      writeFileSync(join(folder, 'chrootfile.yml'), `${recipe}  more: {run: "true"}\n`);
      const again = await run(['schema', '--write'], { folder });
      assert.match(again.stderr, 'begin the recipe with this line:\n  # yaml-language-server: $schema=.chrootfile/chrootfile.schema.json\n');
      assert.ok(goalsOf(folder).includes('more'));
      mkdirSync(join(folder, 'empty'));
      assert.is((await run(['schema', '--write'], { folder: join(folder, 'empty') })).stdout, '.chrootfile/recipe.schema.json\n');
    }));

  test('schema --watch writes it again whenever the recipe or a library changes, also one included meanwhile, until Ctrl-C', () => {
    const line = '# yaml-language-server: $schema=.chrootfile/chrootfile.schema.json\n';
    const recipeOf = (includes: string, task: string) => `${line}version: 1\nincludes: {${includes}}\ntasks: {${task}: {run: "true"}}\n`;
    const libraryOf = (task: string) => `version: 1\ntasks: {${task}: {run: "true"}}\n`;
    const lib = 'lib: {recipe: lib.yml}';
    return inFolder({ 'chrootfile.yml': recipeOf(lib, 'one'), 'lib.yml': libraryOf('a'), 'other.yml': libraryOf('b') }, async (folder) => {
      const watching = start(['schema', '--watch'], { folder });
      let times = 0;
      const written = async () => {
        times += 1;
        await watching.saw('.chrootfile/chrootfile.schema.json\n', times);
        return goalsOf(folder);
      };
      assert.equal(await written(), ['one', 'lib.a']);
      writeFileSync(join(folder, 'chrootfile.yml'), recipeOf(`${lib}, other: {recipe: other.yml}`, 'two'));
      assert.equal(await written(), ['two', 'lib.a', 'other.b']);
      writeFileSync(join(folder, 'other.yml'), libraryOf('c'));
      assert.equal(await written(), ['two', 'lib.a', 'other.c']);
      writeFileSync(join(folder, 'lib.yml'), libraryOf('d'));
      assert.equal(await written(), ['two', 'lib.d', 'other.c']);
      watching.child.kill('SIGINT');
      assert.is((await watching.ended).signal, 'SIGINT');
    });
  });
});

/** The goals that the schema of the recipe in a folder knows. */
function goalsOf(folder: string): string[] {
  const text = readFileSync(join(folder, '.chrootfile/chrootfile.schema.json'), 'utf8');
  return (JSON.parse(text) as { properties: { goals: { items: { enum: string[] } } } }).properties.goals.items.enum;
}
