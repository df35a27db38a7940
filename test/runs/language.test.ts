import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { parseDotenv } from '../../src/dsl/syntax/dotenv.js';
import { inFolder } from '../support/folder.js';
import { finished, start } from '../support/program.js';
import { type RunResult, runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

/** What was said of a task as it began, or why it did not. */
function reasonOf(result: RunResult, task: string): string {
  const event = result.events.findLast((e) => e['task'] === task && e['reason'] !== undefined);
  return `${event?.['outcome'] ?? 'ran'}: ${event?.['reason']}`.replace(/run 2\S+$/, 'run R');
}

/** The name of a lock that no other suite on this host takes. */
function lockOf(folder: string): string {
  return basename(folder);
}

suite('the language', (test) => {
  test('a matrix runs its instances, no more at once than max_parallel, and gives their outputs as a list', () =>
    inFolder({}, async (folder) => {
      const result = await runRecipe(
        folder,
        `tasks:
  build:
    strategy: {matrix: {os: [a, b, c, "d/e"]}, max_parallel: 2}
    run: |
      echo "{{ matrix.os }} begins" >> order
      until [ "$(grep -c begins order)" -ge 2 ]; do sleep 0.02; done
      sleep 0.3
      echo "{{ matrix.os }} ends" >> order
      echo "name=image-{{ matrix.os }}" >> "$CHROOTFILE_OUTPUT"
    outputs: {name: {}}
  all: {run: "echo 'got {{ json build.name }}'"}
outputs: {names: "{{ build.name }}", one: "{{ build.[os=d/e].name }}"}
`,
        ['-j', '4'],
      );
      assert.equal(result.outputs, { names: ['image-a', 'image-b', 'image-c', 'image-d/e'], one: 'image-d/e' });
      let running = 0;
      let most = 0;
      for (const line of readFileSync(join(folder, 'order'), 'utf8').trim().split('\n')) {
        running += line.endsWith('begins') ? 1 : -1;
        most = Math.max(most, running);
      }
      assert.is(most, 2);
      assert.is(result.log('all'), 'got ["image-a","image-b","image-c","image-d/e"]\n');
    }));

  test('a precondition that does not hold fails the task before it runs, with its message, command and last lines', () =>
    inFolder({}, async (folder) => {
      const result = await runRecipe(
        folder,
        `inputs: {disk: {type: string, default: /dev/nope}}
tasks:
  a:
    preconditions:
      - {sh: "true"}
      - {sh: "echo looked; test -b {{ inputs.disk }}", message: "{{ inputs.disk }} is no disk"}
    env: {X: y}
    run: touch ran
    retries: 3
`,
      );
      assert.is(result.code, 1);
      const [, ...lines] = (result.errors['a'] ?? '').split('\n');
      assert.match(result.errors['a'] ?? '', /^\S+:\d+:\d+: precondition not met: \/dev\/nope is no disk\n/);
      assert.equal(lines, ['  $ echo looked; test -b /dev/nope', '  exit code 1', '  | looked']);
      assert.not.ok(existsSync(join(folder, 'ran')));
    }));

  test('preconditions of a task in a chroot look inside it, those of a kind too', () =>
    inFolder({}, async (folder) => {
      makeRoot(folder);
      writeFileSync(join(folder, 'here'), 'x');
      const result = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${folder}/root}}
  a: {in: sys, preconditions: [{sh: test -e /bin/busybox && test ! -e ${folder}/here}], run: "true"}
  b: {uses: chroot.upload, in: sys, preconditions: [{sh: test ! -e /here}], with: {from: here, to: /here}}
  c: {uses: chroot.upload, in: sys, needs: [b], preconditions: [{sh: test ! -e /here, message: it is there}], with: {from: here, to: /here}, continue_on_error: true}
`,
      );
      assert.is(result.code, 0, JSON.stringify(result.errors));
      assert.ok(result.nodes.includes('c tolerated'));
      assert.match(result.errors['c'] ?? '', 'precondition not met: it is there');
    }));

  test('preconditions of a built-in kind have the environment of the recipe, variables by command in it too', () =>
    inFolder({ here: 'x' }, async (folder) => {
      makeRoot(folder);
      const result = await runRecipe(
        folder,
        `vars: {word: {sh: echo hello}, unused: {sh: touch ran}}
env: {WORD: "{{ vars.word }}"}
tasks:
  sys: {uses: chroot, with: {root: ${folder}/root}, preconditions: [{sh: test "$WORD" = hello}]}
  a: {uses: chroot.upload, in: sys, preconditions: [{sh: test "$WORD" = hello}], with: {from: here, to: /here}}
`,
      );
      assert.is(result.code, 0, JSON.stringify(result.errors));
      assert.not.ok(existsSync(join(folder, 'ran')));
    }));

  test('a task is up to date while sources, script and results are as a run that ended well left them; its outputs are kept', () =>
    inFolder({ 'src/a.txt': 'one', 'src/b.txt': 'two' }, async (folder) => {
      const text = (more = '', script = 'cat src/*.txt > out/all') => `inputs: {flavor: {type: string, default: plain}}
tasks:
  build:
    sources: ["src/**/*.txt", "!src/drafts/*"]
    generates: [out/all]
    env: {FLAVOR: "{{ inputs.flavor }}"}
    outputs: {sum: {type: integer}}
    run: |
      mkdir -p out
      ${script}
      echo "sum=$(cat out/all | wc -c)" >> "$CHROOTFILE_OUTPUT"
${more}outputs: {sum: "{{ build.sum }}"}
`;
      const said = async (recipe = text(), ...args: string[]) => {
        const result = await runRecipe(folder, recipe, args);
        return [reasonOf(result, 'build'), result.outputs['sum']];
      };
      assert.equal(await said(), ['ran: never run before', 6]);
      assert.equal(await said(), ['up_to_date: nothing changed since run R', 6]);
      assert.equal(await said(text(), '--force'), ['ran: forced', 6]);
      mkdirSync(join(folder, 'src/drafts'));
      writeFileSync(join(folder, 'src/drafts/x.txt'), '');
      assert.equal(await said(), ['up_to_date: nothing changed since run R', 6]);
      writeFileSync(join(folder, 'src/a.txt'), 'three');
      assert.equal(await said(), ['ran: the source src/a.txt changed', 8]);
      writeFileSync(join(folder, 'src/c.txt'), '');
      assert.equal(await said(), ['ran: the source src/c.txt is new', 8]);
      rmSync(join(folder, 'src/c.txt'));
      assert.equal(await said(), ['ran: the source src/c.txt is gone', 8]);
      writeFileSync(join(folder, 'out/all'), 'meddled');
      assert.equal(await said(), ['ran: the result out/all changed', 8]);
      rmSync(join(folder, 'out/all'));
      assert.equal(await said(), ['ran: the result out/all is missing', 8]);
      assert.equal(await said(text(), '-i', 'flavor=full'), ['ran: its script, environment or outputs changed', 8]);
      assert.equal(await said(text(), '-i', 'flavor=full'), ['up_to_date: nothing changed since run R', 8]);
      // A task that failed is not up to date, whatever an earlier run did.
      assert.equal((await runRecipe(folder, text('', 'false'), ['-i', 'flavor=full'])).code, 1);
      assert.equal(await said(text(), '-i', 'flavor=full'), ['ran: never run before', 8]);
    }));

  test('status commands tell that the work is done; without kept outputs a task that has some runs; a pattern for nothing is an error', () =>
    inFolder({}, async (folder) => {
      const recipe = `tasks:
  plain: {status: [test -e done, "echo {{ run.id }}"], run: touch done}
  giving: {status: [test -e done], outputs: {x: {}}, needs: [plain], run: "echo x=1 >> $CHROOTFILE_OUTPUT"}
outputs: {x: "{{ giving.x }}"}
`;
      const first = await runRecipe(folder, recipe);
      assert.equal([reasonOf(first, 'plain'), reasonOf(first, 'giving')], ['ran: status: test -e done: exit code 1', 'ran: its outputs were not saved']);
      const second = await runRecipe(folder, recipe);
      assert.equal(second.nodes, ['plain up_to_date', 'giving up_to_date']);
      assert.is(second.outputs['x'], '1');
      const none = await runRecipe(folder, 'tasks:\n  a: {sources: [nowhere/*.c], run: touch ran}\n');
      assert.not.ok(existsSync(join(folder, 'ran')), 'it is told before the work is done');
      assert.equal(
        reasonOf(await runRecipe(folder, recipe.replace('x: {}}', 'x: {}, y: {}}')), 'giving'),
        'ran: its outputs were not saved',
        'a new output was never given',
      );
      assert.match(none.errors['a'] ?? '', 'sources: no file matches "nowhere/*.c"');
    }));

  test(
    'links among sources are followed, to files and to folders, in circles too; a change of the execute bit is one',
    () =>
      inFolder({ 'src/a.txt': 'a', 'shared/tool.sh': 'tool', 'other/deep/b.txt': 'b' }, async (folder) => {
        const at = (...names: string[]) => join(folder, ...names);
        symlinkSync('../other', at('src/folder'));
        symlinkSync('../shared/tool.sh', at('src/tool.sh'));
        // Ways without number: each folder leads to all others, and to where it is in.
        for (let from = 0; from < 12; from += 1) {
          mkdirSync(at(`src/node${from}`));
          for (let to = 0; to < 12; to += 1) symlinkSync(`../node${to}`, at(`src/node${from}/to${to}`));
          symlinkSync('..', at(`src/node${from}/up`));
        }
        symlinkSync('nowhere', at('src/dangling'));
        symlinkSync('circle', at('src/circle'));
        execFileSync('mkfifo', [at('src/pipe')]);
        symlinkSync('pipe', at('src/to-pipe'));
        const recipe = (sources: string) => `tasks:\n  a: {sources: [${sources}], run: "true"}\n`;
        for (const sources of ['"src/**/*"', 'src/tool.sh, src/folder/deep/b.txt, "src/folder/**"']) {
          const reason = async () => {
            const ran = await runRecipe(folder, recipe(sources));
            assert.is(ran.code, 0, ran.ended.stdout);
            return ran.nodes[0];
          };
          assert.is(await reason(), 'a succeeded');
          assert.is(await reason(), 'a up_to_date');
          writeFileSync(at('shared/tool.sh'), sources);
          assert.is(await reason(), 'a succeeded');
          chmodSync(at('shared/tool.sh'), statSync(at('shared/tool.sh')).mode ^ 0o111);
          assert.is(await reason(), 'a succeeded');
          writeFileSync(at('other/deep/b.txt'), sources);
          assert.is(await reason(), 'a succeeded');
          assert.is(await reason(), 'a up_to_date');
        }
      }),
    60_000,
  );

  test('what a task left in a chroot counts there: another image is not up to date; an undone task is not either', () =>
    inFolder({ 'list.txt': 'nginx' }, async (folder) => {
      for (const name of ['one', 'two', 'three']) makeRoot(join(folder, name));
      const recipe = (root: string, after = 'true') => `tasks:
  sys: {uses: chroot, with: {root: ${folder}/${root}/root}}
  a: {in: sys, sources: [list.txt], generates: [/opt/*], run: "mkdir -p /opt && echo x > /opt/x"}
  b: {sources: [list.txt], undo: {run: "true"}, needs: [a], run: "true"}
  end: {needs: [b], run: "${after}"}
`;
      const said = async (...args: [string, string?]) => {
        const result = await runRecipe(folder, recipe(...args));
        return [reasonOf(result, 'a'), reasonOf(result, 'b')];
      };
      assert.equal(await said('one', 'false'), ['ran: never run before', 'ran: never run before']);
      assert.equal(await said('one'), ['up_to_date: nothing changed since run R', 'ran: never run before']);
      assert.equal(await said('two'), ['ran: the result /opt/* is missing', 'up_to_date: nothing changed since run R']);
      // A link of the image that would lead to a file of the host.
      symlinkSync(join(folder, 'host'), join(folder, 'three/root/opt'));
      mkdirSync(join(folder, 'host'));
      writeFileSync(join(folder, 'host/x'), 'x\n');
      assert.is((await said('three'))[0], 'ran: the result /opt/* is missing');
    }));

  test('locks of the host: tasks of one name take turns, in one run and between runs with different state', () =>
    inFolder({}, async (folder) => {
      const lock = lockOf(folder);
      const recipe = `version: 1
tasks:
  a: {locks: [${lock}, ${lock}-2], run: "echo begin >> ${folder}/order; sleep 0.4; echo end >> ${folder}/order"}
  b: {locks: [${lock}], run: "echo begin >> ${folder}/order; sleep 0.4; echo end >> ${folder}/order"}
`;
      for (const name of ['x', 'y']) {
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, 'chrootfile.yml'), recipe);
      }
      const runs = ['x', 'y'].map((name) => start(['run', '-j', '4', '-v'], { folder: join(folder, name) }).ended);
      const ended = await Promise.all(runs);
      assert.equal(
        ended.map(({ code }) => code),
        [0, 0],
        ended.map(({ stderr }) => stderr).join(''),
      );
      assert.is(readFileSync(join(folder, 'order'), 'utf8'), 'begin\nend\n'.repeat(4));
      assert.match(ended.map(({ stdout }) => stdout).join(''), /waiting for a lock held by run \S+/);
      assert.equal(
        readdirSync('/run').filter((name) => name.startsWith(`chrootfile-lock-${lock}`)),
        [],
      );
    }));

  test('a lock of a run that was killed is taken over, and removed by undo', () =>
    inFolder({}, async (folder) => {
      const lock = lockOf(folder);
      writeFileSync(join(folder, 'chrootfile.yml'), `version: 1\ntasks:\n  a: {locks: [${lock}], run: "echo held; sleep 60"}\n`);
      const kill = async () => {
        const run = start(['run', '-v'], { folder });
        await run.saw('a | held');
        run.child.kill('SIGKILL');
        await run.ended;
      };
      await kill();
      await kill();
      await start(['undo', '--all'], { folder }).ended;
      assert.equal(
        readdirSync('/run').filter((name) => name.startsWith(`chrootfile-lock-${lock}`)),
        [],
      );
    }));

  test('defaults give shell, timeout and retries to tasks that do not say them; a library keeps its own', () =>
    inFolder(
      {
        'lib.yml': 'version: 1\ntasks:\n  plain: {run: "false || true"}\n',
      },
      async (folder) => {
        const result = await runRecipe(
          folder,
          `includes: {lib: {recipe: lib.yml}}
defaults: {shell: [/bin/bash, -eu], timeout: 1s, retries: {limit: 1, delay: 10ms}}
tasks:
  bash: {needs: [lib.plain], run: "echo \${BASH_VERSION:+bash}; [[ a == a* ]]", timeout: 5m}
  slow: {run: sleep 1000, continue_on_error: true}
  once: {run: "echo x >> tries; false", timeout: 5m, retries: 0, continue_on_error: true}
`,
        );
        assert.is(result.log('bash'), 'bash\n');
        assert.match(result.errors['slow'] ?? '', 'timed out after 1 s');
        assert.is(result.events.filter((e) => e['type'] === 'task.started' && e['task'] === 'slow').length, 2);
        assert.is(readFileSync(join(folder, 'tries'), 'utf8'), 'x\n');
      },
    ));

  test('continue_on_error: null outputs, later tasks run, null where a value must be fails by name, one instance does not stop the others', () =>
    inFolder({}, async (folder) => {
      const result = await runRecipe(
        folder,
        `tasks:
  part:
    strategy: {matrix: {n: [1, 2, 3]}}
    continue_on_error: true
    outputs: {id: {type: integer}}
    run: 'test {{ matrix.n }} != 2; echo "id={{ matrix.n }}0" >> "$CHROOTFILE_OUTPUT"'
  sum: {run: "echo '{{ json part.id }} {{ default part.[n=2].id 5 }}'"}
  hold: {run: "false", undo: {run: echo undone >> undone, when: always}, continue_on_error: true}
  stands: {needs: [hold], run: "true"}
  sys: {uses: chroot, with: {root: /nowhere/at/all}, continue_on_error: true}
  inside: {in: sys, run: "true", continue_on_error: true}
  group: {needs: [inside, stands]}
  chmod: {uses: chroot.upload, in: sys, with: {from: x, to: /x}, continue_on_error: true}
  wants: {uses: disk.filesystem, with: {device: "{{ default sys.path null }}", type: ext4}, continue_on_error: true}
outputs: {ids: "{{ part.id }}", path: "{{ sys.path }}"}
`,
      );
      assert.is(result.code, 0, JSON.stringify(result.errors));
      assert.equal(result.outputs, { ids: [10, null, 30], path: null });
      assert.is(result.log('sum'), '[10,null,30] 5\n');
      for (const node of [
        'part[n=1] succeeded',
        'part[n=2] tolerated',
        'part[n=3] succeeded',
        'hold tolerated',
        'stands succeeded',
        'hold.released skipped',
        'sys tolerated',
        'group succeeded',
      ])
        assert.ok(result.nodes.includes(node), `${node}: ${result.nodes.join(', ')}`);
      assert.match(result.errors['inside'] ?? '', 'task "sys", named by "in", was skipped or failed');
      assert.match(result.errors['wants'] ?? '', '"device" has no value: task "sys" was skipped or failed');
      // What a resource half made is taken back before it is put up with.
      assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'undone\n');
    }));

  test('outputs of scripts have types; a secret one is hidden wherever it goes', () =>
    inFolder({}, async (folder) => {
      const result = await runRecipe(
        folder,
        `tasks:
  make:
    outputs: {n: {type: integer}, f: {type: number}, b: {type: boolean}, l: {type: list}, m: {type: map}, token: {secret: true}}
    run: printf '%s\\n' n=8 f=1.5 b=true 'l=["a","b"]' 'm={"k":"v"}' token=hunter$((20+2)) >> "$CHROOTFILE_OUTPUT"
  use:
    if: "{{ and make.b (eq make.n 8) }}"
    env: {TOKEN: "{{ make.token }}"}
    run: 'echo "{{ make.m.k }} {{ join make.l "+" }} {{ make.f }} $TOKEN $(printf %s "$TOKEN" | base64)"'
outputs: {l: "{{ make.l }}", n: "{{ make.n }}"}
`,
      );
      assert.equal(result.outputs, { l: ['a', 'b'], n: 8 });
      assert.is(result.log('use'), 'v a+b 1.5 *** ***\n');
      const kept = readdirSync(join(folder, 'state/runs'), { recursive: true, encoding: 'utf8' });
      for (const file of kept.filter((name) => /\.(jsonl?|log|yml)$/.test(name)))
        assert.not.match(readFileSync(join(folder, 'state/runs', file), 'utf8'), 'hunter22');
    }));

  test('inputs come from files, the last one strongest, and are told with their place in them', () =>
    inFolder({ 'a.yml': 'size: 1\nname: from-a\n', 'b.json': '{"size": 2}\n', 'bad.yml': 'size: large\nnmae: x\n' }, async (folder) => {
      const recipe =
        'inputs: {size: {type: integer, description: Size in GiB}, name: {type: string}}\ntasks:\n  a: {run: "true"}\noutputs: {o: "{{ inputs.name }} {{ inputs.size }}"}\n';
      assert.is((await runRecipe(folder, recipe, ['--inputs', 'a.yml', '--inputs', 'b.json'])).outputs['o'], 'from-a 2');
      assert.is((await runRecipe(folder, recipe, ['--inputs', 'a.yml', '-i', 'size=3'])).outputs['o'], 'from-a 3');
      const bad = await start(['run', 'r.yml', '--inputs', 'bad.yml'], { folder }).ended;
      assert.is(bad.code, 2);
      assert.is(
        bad.stderr,
        `bad.yml:1:7: input "size" must be an integer [input]
  help: Size in GiB

bad.yml:2:1: the recipe has no input "nmae" [unknown-input]
  help: did you mean "name"?

2 errors
`,
      );
    }));

  test('a file of inputs that ends in .env is a dotenv file; its lines are never shown', () =>
    inFolder(
      {
        'all.env': `# a comment
SIZE=8   # so many
export name = it's a # b#c
  raw='a "b" $HOME \\n # c'   # quoted
quoted="a 'b' \\"c\\" \\$HOME\\ttab\\\\ \\d
second line"
hash=#one#two
EMPTY=
list=["a", "b"]
folder=sub
`.replaceAll('\n', '\r\n'),
        'bad.env': `NAME="hush
hush" hush
not hush
SIZE=hush
name=hush
`,
        'unfit.env': '\n\nSIZE=hush\nhush_hush=hush\n',
        'open.env': `SIZE=1\nNAME='hush\nhush\n`,
      },
      async (folder) => {
        const names = ['name', 'raw', 'quoted', 'hash', 'empty'];
        const recipe = `inputs:
  size: {type: integer}
  list: {type: list}
  folder: {type: path}
${names.map((name) => `  ${name}: {type: string}\n`).join('')}tasks:
  a: {run: "true"}
outputs: {size: "{{ inputs.size }}", list: "{{ inputs.list }}", folder: "{{ inputs.folder }}", ${names.map((name) => `o_${name}: "{{ inputs.${name} }}"`).join(', ')}}
`;
        assert.equal((await runRecipe(folder, recipe, ['--inputs', 'all.env'])).outputs, {
          size: 8,
          list: ['a', 'b'],
          folder: join(folder, 'sub'),
          o_name: "it's a",
          o_raw: 'a "b" $HOME \\n # c',
          o_quoted: 'a \'b\' "c" $HOME\ttab\\ \\d\nsecond line',
          o_hash: '#one#two',
          o_empty: '',
        });
        const told = async (file: string) => {
          const { code, stdout, stderr } = await start(['run', 'r.yml', '--inputs', file], { folder }).ended;
          assert.equal([code, stdout, /hush/.test(stderr)], [2, '', false]);
          return stderr.split('\n').filter((line) => / \[/.test(line));
        };
        assert.equal(await told('bad.env'), [
          'bad.env:1:1: text follows the closing quote on this line [inputs-file]',
          'bad.env:3:1: this line is not NAME=value [inputs-file]',
          'bad.env:5:1: this line sets the same input as an earlier line [duplicate-key]',
        ]);
        assert.equal(await told('unfit.env'), [
          'unfit.env:3:1: input "size" must be an integer [input]',
          'unfit.env:4:1: the recipe has no input of the name on this line [unknown-input]',
        ]);
        assert.equal(await told('open.env'), ['open.env:2:1: the quote that begins on this line is never closed [inputs-file]']);
      },
    ));

  test('a dotenv file with other signs that end lines elsewhere is read to its end, and so is a value of 15 MB', () => {
    const read = (text: string) => parseDotenv({ file: 'x.env', path: '/x.env', text });
    assert.equal(read('A=1\rB=2 # c\rd\n# e\u2028f\nC="x" #\u2029y\nD=z').document.value, { a: '1\rB=2', c: 'x', d: 'z' });
    assert.equal(
      read('A="x"\ry\nB=\u2028\n\rC=1\n').diagnostics.map(({ message, span }) => [message, span?.start]),
      [
        ['text follows the closing quote on this line', 0],
        ['this line is not NAME=value', 12],
      ],
    );
    const long = 'x'.repeat(15_000_000);
    assert.ok((read(`A="${long}\\n"\n`).document.value as { a: string }).a === `${long}\n`);
  });

  test('words behind "--" are run.arguments: no tasks, no options of the program, kept for --resume', () =>
    inFolder({}, async (folder) => {
      const recipe = `tasks:
  a: {run: "printf '<%s>\\\\n' {{ quote run.arguments }}; test -e fine", undo: {run: "printf '%s ' {{ quote run.arguments }} > undone"}}
  b: {if: "{{ eq (default run.arguments.[1] 'none') 'none' }}", needs: [a], run: "echo {{ json run.arguments }}"}
outputs: {all: "{{ run.arguments }}"}
`;
      const words = ['a', '--no-sandbox', '--json', "it's $HOME", '--', '-n', ''];
      writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${recipe}`);
      const failed = await start(['run', 'r.yml', 'b', '--on-failure', 'keep', '--format', 'plain', '--', ...words], {
        folder,
      }).ended;
      assert.is(failed.code, 1, failed.stderr);
      for (const word of words) assert.match(failed.stdout, `a | <${word}>\n`);
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      assert.match(readFileSync(join(folder, 'state/runs', id, 'journal.jsonl'), 'utf8').split('\n')[0] ?? '', '"sandbox":true');
      const more = await start(['run', '--resume', id, '--', 'x'], { folder }).ended;
      assert.equal([more.code, more.stderr], [2, 'error: --resume takes no recipe, tasks or arguments: they are those of the run\n']);
      writeFileSync(join(folder, 'fine'), '');
      const resumed = await start(['run', '--resume', id], { folder }).ended;
      assert.is(resumed.code, 0, resumed.stderr);
      assert.match(resumed.stdout, "a | <it's $HOME>\n");
      assert.match(resumed.stdout, `\nall = ${JSON.stringify(words)}\n`);
      const early = await start(['--', 'run', 'r.yml', '--format', 'json', '--', '--no-sandbox'], { folder }).ended;
      assert.equal(finished(early)['outputs'], { all: ['--no-sandbox'] }, early.stdout);
      assert.match(readFileSync(join(folder, 'state/runs', String(finished(early)['run']), 'journal.jsonl'), 'utf8'), '"sandbox":true');
      const none = await runRecipe(folder, recipe);
      assert.equal([none.log('a'), none.log('b'), none.outputs['all']], ['<>\n', '[]\n', []]);
      assert.is((await start(['plan', 'r.yml', '--', 'c'], { folder }).ended).code, 0);
    }));

  test('a library of an npm package is found as Node does: above the recipe, scoped, by what the package exports', () =>
    inFolder(
      {
        'node_modules/@acme/images/package.json': '{"name": "@acme/images", "exports": {"./base.yml": "./dist/base.yml"}}',
        'node_modules/@acme/images/dist/base.yml':
          'version: 1\ninputs: {who: {type: string}}\ntasks:\n  greet: {run: {file: greet.sh}, env: {WHO: "{{ inputs.who }}"}}\n',
        'node_modules/@acme/images/dist/greet.sh': 'echo hello $WHO from $(basename $PWD)\n',
        'node_modules/plain/lib/x.yml': 'version: 1\ntasks:\n  a: {run: echo plain}\n',
        'sub/deep/.keep': '',
      },
      async (folder) => {
        const text = `includes: {acme: {recipe: "npm:@acme/images/base.yml", with: {who: you}}, plain: {recipe: "npm:plain/lib/x.yml"}}\ntasks:\n  all: {needs: [acme.greet, plain.a]}\n`;
        const result = await runRecipe(join(folder, 'sub/deep'), text);
        assert.is(result.log('acme.greet'), 'hello you from dist\n');
        assert.is(result.log('plain.a'), 'plain\n');
      },
    ));
});
