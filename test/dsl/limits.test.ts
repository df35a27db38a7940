import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { matchesPattern } from '../../src/dsl/syntax/linear_pattern.js';
import { inFolder } from '../support/folder.js';
import { faultsOf, linked } from '../support/plan.js';
import { type Ended, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const some = 'tasks:\n  a: {run: "true"}\n';
const times = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join('');
const list = (count: number) => Array.from({ length: count }, (_, i) => i).join(', ');

/** What `check` makes of recipes in a folder; it must end in a minute, and with less than 1 GiB. */
function checked(files: Readonly<Record<string, string>>, prepare: (folder: string) => void = () => {}): Promise<Ended> {
  return inFolder(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, `version: 1\n${text}`])), async (folder) => {
    prepare(folder);
    return run(['check', 'r.yml'], { folder, env: { NODE_OPTIONS: '--max-old-space-size=1024' } });
  });
}

suite('what multiplies itself', (test) => {
  for (const [section, name] of [
    ['vars', 'v'],
    ['env', 'E'],
  ]) {
    test(`${section} that each refer to the one before twice are read, and refused where their value is too large`, async () => {
      const doubling = (count: number) =>
        `${section}:\n  ${name}0: x\n${times(count, (i) => `  ${name}${i + 1}: "{{ ${section}.${name}${i} }}{{ ${section}.${name}${i} }}"\n`)}`;
      assert.is((await checked({ 'r.yml': `${doubling(24)}${some}` })).code, 0);
      const used = `tasks:\n  a: {strategy: {matrix: {x: ["{{ ${section}.${name}60 }}"]}}, run: "true"}\n`;
      const { code, stderr } = await checked({ 'r.yml': `${doubling(60)}${used}` });
      assert.is(code, 2);
      assert.match(stderr, 'a value has at most 64 MiB characters when its templates are rendered [matrix]');
    }, 120_000);
  }

  test('variables of the environment that all refer to all others are refused, and not tried in every order', async () => {
    const all = times(24, (i) => `{{ default env.E${i} 1 }}`);
    const { code, stderr } = await checked({
      'r.yml': `env:\n${times(24, (i) => `  E${i}: "${all}"\n`)}tasks:\n  a: {strategy: {matrix: {x: ["{{ env.E0 }}"]}}, run: "true"}\n`,
    });
    assert.is(code, 2, stderr);
    assert.match(stderr, 'rendering it reads more than 100,000 values [matrix]');
  }, 60_000);

  test('libraries that each include the next one twice are refused after 1,000', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 18 }, (_, i) => [`l${i}.yml`, `includes:\n  x: {recipe: l${i + 1}.yml}\n  y: {recipe: l${i + 1}.yml}\n${some}`]),
    );
    const { code, stderr } = await checked({ ...files, 'r.yml': `includes: {x: {recipe: l0.yml}}\n${some}`, 'l18.yml': some });
    assert.is(code, 2);
    assert.match(stderr, /a recipe includes at most 1,000 libraries, each counted as often as it is included \[limit\]/);
    assert.match(stderr, /\n1 error\n$/);
  }, 60_000);

  test('16 MB of documents, of items, of signs and of empty lines are refused before they are held', async () => {
    for (const [text, why] of [
      ['---\n'.repeat(4_000_000), 'a recipe is one YAML document, and a second one begins [yaml]'],
      [`a: [${'a,'.repeat(8_000_000)}]\n`, 'a recipe has at most 2,000,000 tokens of YAML [limit]'],
      ['['.repeat(16_000_000), 'a recipe has at most 2,000,000 tokens of YAML [limit]'],
      ['\n'.repeat(16_000_000), 'a recipe has at most 2,000,000 tokens of YAML [limit]'],
    ] as const) {
      const { code, stderr } = await checked({ 'r.yml': text });
      assert.is(code, 2, stderr.slice(-2000));
      assert.match(stderr, why);
    }
  }, 120_000);

  test('aliases of 60,000 numbers are looked up once each', async () => {
    const { code, stderr } = await checked({ 'r.yml': `vars: {n: &n 0x10, all: [${times(60_000, () => '*n, ')}]}\n${some}` });
    assert.is(code, 2);
    assert.match(stderr, 'YAML reads 0x10 as the number 16');
  }, 20_000);

  test('3,000 names that are misspelt are told, the first 1,000 of them', async () => {
    const { code, stderr } = await checked({
      'r.yml': `tasks:\n${times(3000, (i) => `  task_number_${i}: {run: "true"}\n`)}${times(3000, (i) => `  user${i}: {needs: [tsak_number_${i}], run: "true"}\n`)}`,
    });
    assert.is(code, 2);
    assert.match(stderr, 'there is no task "tsak_number_0" [unknown-task]');
    assert.match(stderr, 'help: did you mean "task_number_0"?');
    assert.match(stderr, 'stopped after 1,000 errors [limit]');
  }, 60_000);

  test('two matrices of 3,000 are planned instance by instance, and refused where each needs all of the other', async () => {
    const second = (axis: string) =>
      `tasks:\n  a: {strategy: {matrix: {x: [${list(3000)}]}}, run: "true"}\n  b: {strategy: {matrix: {${axis}: [${list(3000)}]}}, needs: [a], run: "true"}\n`;
    assert.match((await checked({ 'r.yml': second('x') })).stdout, 'r.yml: ok, 6000 tasks');
    const { code, stderr } = await checked({ 'r.yml': second('y') });
    assert.is(code, 2);
    assert.match(stderr, 'the tasks have more than 1,000,000 names in all, instances counted [limit]');
  }, 120_000);

  test('names that refer to each other in a long row are refused, in either order', () => {
    const row = (from: (i: number) => number) => `vars:\n  v${from(0)}: x\n${times(5000, (i) => `  v${from(i + 1)}: "{{ vars.v${from(i)} }}"\n`)}${some}`;
    for (const order of [(i: number) => i, (i: number) => 5000 - i]) {
      const faults = faultsOf({ 'r.yml': row(order) });
      assert.ok(faults.length > 0);
      assert.equal([...new Set(faults.map(({ code, message }) => `${code}: ${message}`))].slice(0, 1), [
        'limit: at most 200 names refer to each other in a row',
      ]);
    }
  });

  test('what is nested deeper than 100 is refused: lists, maps, blocks, helpers', () => {
    const deep = (open: string, inner: string, close: string) => `${open.repeat(2500)}${inner}${close.repeat(2500)}`;
    for (const text of [
      `vars: {a: ${deep('[', '', ']')}}\n${some}`,
      `vars: {a: ${deep('{a: ', 'x', '}')}}\n${some}`,
      `vars: {a: ${deep('[', '', ']').slice(2380, 2620)}}\n${some}`,
      `tasks:\n  a: {run: "{{ ${deep('not (', 'not true', ')')} }}"}\n`,
      `tasks:\n  a: {run: "${deep('{{#if run.id}}', 'x', '{{/if}}')}"}\n`,
    ]) {
      const [fault] = faultsOf({ 'r.yml': text });
      assert.is(fault?.code, 'limit', `${fault?.message}`);
      assert.match(fault?.message ?? '', /are nested at most 100 deep/);
    }
  });
});

suite('what is read', (test) => {
  test('devices, pipes and folders are refused as a recipe, a library, a script, a file of inputs', async () => {
    const said = (ended: Ended) => [ended.code, /cannot read .*?: (.*?)( \[|$)/m.exec(ended.stderr)?.[1]].join(': ');
    const pipe = (folder: string) => void execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const [file, why] of [
      ['/dev/zero', 'it is not a regular file'],
      ['pipe', 'it is not a regular file'],
      ['/etc', 'it is a folder'],
    ] as const) {
      assert.is(said(await checked({ 'r.yml': `includes: {z: {recipe: ${file}}}\n${some}` }, pipe)), `2: ${why}`);
      assert.is(said(await checked({ 'r.yml': `tasks:\n  a: {run: {file: ${file}}}\n` }, pipe)), `2: ${why}`);
      await inFolder({ 'r.yml': `version: 1\n${some}` }, async (folder) => {
        pipe(folder);
        assert.is(said(await run(['check', file], { folder })), `2: ${why}`);
        assert.is(said(await run(['plan', 'r.yml', '--inputs', file], { folder })), `2: ${why}`);
      });
    }
  }, 120_000);

  test(
    'a file of more than 16 MiB is refused; what a shell hands over is read',
    () =>
      inFolder({ 'r.yml': `version: 1\n${some}` }, async (folder) => {
        execFileSync('truncate', ['-s', '1T', join(folder, 'large.yml')]);
        assert.match((await run(['check', 'large.yml'], { folder })).stderr, 'cannot read large.yml: it is larger than 16 MiB');
        const shell = (command: string) => execFileSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
        const program = join(import.meta.dirname, '../../bin/chrootfile');
        assert.match(shell(`'${program}' check <(cat r.yml)`), ': ok, 1 task');
        assert.match(shell(`cat r.yml | '${program}' check /dev/stdin`), '/dev/stdin: ok, 1 task');
        // A recipe that names them is not waited for: nobody may ever write there.
        const named = ['includes: {z: {recipe: /dev/stdin}}\ntasks:\n  a: {run: "true"}', 'tasks:\n  a: {run: {file: /dev/fd/0}}'];
        for (const text of named) {
          writeFileSync(join(folder, 'named.yml'), `version: 1\n${text}\n`);
          assert.match(shell(`mkfifo -m 600 p$$; exec 9<>p$$; timeout -s KILL 10 '${program}' check named.yml <&9 2>&1 || true`), 'it is not a regular file');
        }
      }),
    60_000,
  );

  test('nothing is shown of an included file that is no recipe', async () => {
    const { code, stderr } = await checked({ 'r.yml': `includes: {z: {recipe: /etc/shadow}}\n${some}` });
    assert.is(code, 2);
    assert.match(stderr, 'r.yml:2:24: "/etc/shadow" is not a recipe [include]');
    assert.not.match(stderr, 'root:');
    await inFolder({ 'secret.txt': 'root:hash: "\n' }, async (folder) => assert.not.match((await run(['check', 'secret.txt'], { folder })).stderr, 'hash'));
  });

  test('a library may begin with a byte order mark, as editors of Windows write it', () => {
    const library = `\ufeff{version: 1, tasks: {a: {run: "true"}}}\n`;
    const read = (path: string) => (path === '/r.yml' ? `version: 1\nincludes: {z: {recipe: l.yml}}\n${some}` : library);
    assert.equal([...linked('/r.yml', {}, { read, builtIn: '/', resolvePackage: String, show: String }).tasks.keys()], ['z.a', 'a']);
    const bare = (path: string) => (path === '/r.yml' ? read(path) : `\ufeffversion: 1\n${some}`);
    assert.equal([...linked('/r.yml', {}, { read: bare, builtIn: '/', resolvePackage: String, show: String }).tasks.keys()], ['z.a', 'a']);
  });

  test('a script file is read once for all tasks, and counts with the libraries', () => {
    const reads: string[] = [];
    const sized = (size: number) => {
      const read = (path: string) => {
        reads.push(path);
        return path === '/r.yml' ? `version: 1\ntasks:\n${times(5, (i) => `  a${i}: {run: {file: ${i % 2}.sh}}\n`)}` : 'x'.repeat(size);
      };
      return linked('/r.yml', {}, { read, builtIn: '/', resolvePackage: String, show: String });
    };
    assert.is(sized(1000).tasks.size, 5);
    assert.equal(reads, ['/r.yml', '/0.sh', '/1.sh']);
    assert.throws(() => sized(9_000_000), /cannot read "1.sh": a recipe has at most 16 MiB with all its libraries and script files \[script-file\]/);
  });

  test('of a line of 10 MB what is around a fault is shown', async () => {
    const { code, stderr } = await checked({ 'r.yml': `tasks: {a: {run: "${'x'.repeat(10_000_000)}"}, ${times(200, (i) => `b${i}: {runn: x}, `)}}\n` });
    assert.is(code, 2);
    assert.match(stderr, 'unknown key "runn" [unknown-key]');
    assert.ok(stderr.length < 200_000 && stderr.split('\n').every((line) => line.length < 200), `${stderr.length}`);
    assert.match(stderr, /\n200 errors\n$/);
  }, 60_000);

  test('a key or a name of 1 MB makes no message of 1 MB', () => {
    const long = 'x'.repeat(1_000_000);
    assert.equal(
      faultsOf({ 'r.yml': `tasks:\n  a: {run: "true", ? ${long} : x}\n` }).map(({ message }) => message),
      ['a key has at most 1,000 characters'],
    );
    assert.is(faultsOf({ 'r.yml': `tasks:\n  a: {run: "true", needs: [${long}]}\n` }).length, 1);
  });
});

suite('patterns of inputs', (test) => {
  test('are matched in linear time, and as JavaScript matches them', () => {
    assert.not.ok(matchesPattern('^(a+)+$', `${'a'.repeat(50_000)}!`));
    const patterns = [
      '^ami-[0-9a-f]+$',
      '^[a-z]+(-[a-z]+)*$',
      '^(a|b)*abb$',
      'a{2,3}b?',
      '^a{0}$',
      '(?:ab|a)(?<n>c)+?',
      '\\bab\\b',
      '[^ab]',
      '.',
      '^$',
      '\\u{1F600}|\\x61|\\p{L}b',
      '(a*)*b',
      '()*c',
      'a\\Bb',
      '[\\]a-]',
    ];
    const texts = ['', 'a', 'b', 'ab', 'abb', 'aabb', 'ababb', 'ab-ba', 'ab-', 'ac', 'abcc', 'ami-0f', 'ami-', '\u{1F600}', '\n', 'a b', ']', 'aab', 'c'];
    for (const pattern of patterns)
      for (const text of texts) assert.is(matchesPattern(pattern, text), new RegExp(pattern, 'u').test(text), `${pattern} on ${JSON.stringify(text)}`);
  });

  test('are not matched with a value that is too long for them, which is said', () => {
    const said = (pattern: string, length: number) =>
      faultsOf({ 'r.yml': `inputs: {n: {type: string, pattern: '${pattern}', default: ${'a'.repeat(length)}}}\n${some}` }).map(({ message }) => message);
    assert.equal(said('^(a?){150}$', 150), []);
    assert.equal(said('^(a?){150}b', 60_000), ['the default of input "n" must match ^(a?){150}b']);
    assert.equal(said('(a?){150}b', 60_000), ['the default of input "n" is too long for the pattern (a?){150}b']);
    assert.equal(said('^a+$', 65_536), []);
    assert.equal(said('^a+$', 65_537), ['the default of input "n" has a pattern, and so at most 65,536 characters']);
  });

  test('without look-around and references to groups, nor repeated beyond measure', () => {
    const said = (pattern: string) => faultsOf({ 'r.yml': `inputs: {n: {type: string, pattern: '${pattern}'}}\n${some}` }).map(({ message }) => message);
    const refused = (what: string) => [`"${what}" is not part of patterns: they have no look-around and no references to groups`];
    assert.equal(said('^(?!root)'), refused('(?!'));
    assert.equal(said('(?<=a)b'), refused('(?<='));
    assert.equal(said('(a)\\1'), refused('\\1'));
    assert.equal(said('(a{1000}){1000}'), ['this pattern is too large: a repetition counts as often as it repeats']);
    assert.equal(said('((){1000000}){1000000}'), ['this pattern is too large: a repetition counts as often as it repeats']);
    assert.equal(said('('), ['this is not a regular expression: unterminated group']);
    assert.equal(said('^(a+)+$'), []);
  });
});
