import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Redactor } from '../../src/runtime/output/redactor.js';
import { TaskOutput } from '../../src/runtime/output/task_output.js';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Random numbers from a seed: mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Secrets of 6 to 60 characters, half of them strange, which begin and end with a letter. */
function randomSecrets(count: number, random: (below: number) => number): string[] {
  const strange = [...`'"\\\`$%!&<>#*+/=;|()[]{}~^?@,.:_- \t\né€日😀`];
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'];
  const one = (from: readonly string[]) => from[random(from.length)] as string;
  const secret = () => [one(letters), ...Array.from({ length: 4 + random(55) }, () => one(random(2) === 0 ? strange : letters)), one(letters)].join('');
  // Of shorter lines nothing is promised: they may come by themselves.
  const promised = (text: string) => (text.split('\n').some((line) => line.length < 4) ? text.replaceAll('\n', 'n') : text);
  return Array.from({ length: count }, () => promised(secret()));
}

/** Ways in which shells write `$S`; each prints one line for each line of the secret at most. */
const byShells: Readonly<Record<string, string>> = {
  plain: 'printf %s "$S"',
  'for the shell by %q': 'printf %q "$S"',
  'for a shell in the C locale': 'LC_ALL=C bash -c \'printf %q "$S"\'',
  'for the shell by @Q': 'printf %s "${S@Q}"',
  'a trace of bash': 'bash -xc \': "$S"\' 2>&1 | sed "1s/^+ : //"',
  'a trace of sh': 'sh -xc \': "$S"\' 2>&1 | sed "1s/^+ : //"',
};

/** Ways in which programs write it, in JavaScript. */
const byPrograms: Readonly<Record<string, string>> = {
  'for sh, quote by quote': String.raw`S.replaceAll("'", "'\\''")`,
  'for sh, in double quotes': String.raw`S.replaceAll("'", "'\"'\"'")`,
  JSON: 'JSON.stringify(S).slice(1, -1)',
  'JSON in JSON': 'JSON.stringify(JSON.stringify(S)).slice(3, -3)',
  'JSON in ASCII': String.raw`JSON.stringify(S).slice(1, -1).replace(/[^ -~]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))`,
  'percent-encoded': 'encodeURIComponent(S)',
  'percent-encoded in small letters': 'encodeURIComponent(S).replace(/%../g, (c) => c.toLowerCase())',
  'as a form': 'String(new URLSearchParams({ a: S })).slice(2)',
};

const contexts = ['', 'u', 'us', 'user:'].flatMap((before) => ['', '\n', 'more'].map((after) => ({ before, after })));
const widths = [76, 64, 0];

/** Base64 of a secret between two texts, as it is to be shown: wrapped, and without a bit of the secret. */
function hiddenBase64(before: string, secret: string, after: string, width: number): string {
  const [start, end] = [Buffer.byteLength(before), Buffer.byteLength(before + secret)];
  const text = Buffer.from(before + secret + after).toString('base64');
  const from = Math.floor((start * 8) / 6);
  const to = text.slice(Math.ceil((end * 8) / 6)).replaceAll('=', '') === '' ? text.length : Math.ceil((end * 8) / 6);
  const shown = [...text].map((c, i) => (i >= from && i < to ? '*' : c)).join('');
  const lines = width === 0 ? [shown] : (shown.match(new RegExp(`.{1,${width}}`, 'g')) ?? []);
  return lines.map((line) => line.replace(/\*+/g, '***')).join('\n');
}

suite(`secrets (SEED=${seed})`, (test) => {
  test(
    'are hidden however a script writes them',
    () =>
      inFolder({}, async (folder) => {
        const secrets = randomSecrets(10, randomFrom(seed));
        const program = `for (const S of process.env.NAMES.split(' ').map((name) => process.env[name])) {
  for (const text of [${Object.values(byPrograms).join(',\n    ')}]) console.log('<' + text + '>');
  for (const width of ${JSON.stringify(widths)})
    for (const { before, after } of ${JSON.stringify(contexts)})
      console.log(Buffer.from(before + S + after).toString('base64').replace(width === 0 ? /$^/ : new RegExp('(.{' + width + '})(?=.)', 'g'), '$1\\n'));
  console.log(Buffer.from(S).toString('base64url'));
}`;
        writeFileSync(join(folder, 'say.js'), program);
        const names = secrets.map((_, i) => `s${i}`);
        const shell = `for name in $NAMES; do S=\${!name}; export S\n${Object.values(byShells)
          .map((command) => `printf '<'; ${command}; printf '>\\n'\n`)
          .join('')}done\n`;
        writeFileSync(join(folder, 'say.sh'), shell);
        const env = `{NAMES: ${names.join(' ')}, ${names.map((name) => `${name}: "{{ inputs.${name} }}"`).join(', ')}}`;
        const ran = await runRecipe(
          folder,
          `inputs:
${names.map((name) => `  ${name}: {type: string, secret: true}`).join('\n')}
tasks:
  shells: {shell: [bash], env: ${env}, run: {file: say.sh}}
  programs: {env: ${env}, run: ${process.execPath} say.js}
`,
          [],
          Object.fromEntries(secrets.map((secret, i) => [`CHROOTFILE_INPUT_S${i}`, secret])),
        );
        assert.is(ran.code, 0, ran.ended.stderr + ran.ended.stdout);
        const [shells, programs] = [ran.log('shells').split('\n'), ran.log('programs').split('\n')];
        const isHidden = (lines: string[], what: string) => {
          const whole = [lines.shift() ?? ''];
          while (!whole.at(-1)?.endsWith('>') && lines.length > 0) whole.push(lines.shift() ?? '');
          // Quotes around it may stay.
          assert.match(whole.join('\n'), /^<(\$?['"]?\*\*\*['"]?\n?)+>$/, what);
        };
        for (const secret of secrets) {
          const text = JSON.stringify(secret);
          for (const name of Object.keys(byShells)) isHidden(shells, `${name}: ${text}`);
          for (const name of Object.keys(byPrograms)) isHidden(programs, `${name}: ${text}`);
          for (const width of widths)
            for (const { before, after } of contexts) {
              const wanted = hiddenBase64(before, secret, after, width).split('\n');
              assert.equal(programs.splice(0, wanted.length), wanted, `base64 in lines of ${width} of ${before} ${text} ${after}`);
            }
          assert.is(programs.shift(), '***', `base64url of ${text}`);
        }
        assert.equal([...shells, ...programs], ['', '']);
      }),
    60_000,
  );

  test(
    'are in no channel: reports, errors, what is left, files, the log of EC2; of a run that fails and of its undo',
    () =>
      inFolder({}, async (folder) => {
        const secrets = randomSecrets(12, randomFrom(seed + 1));
        const inputs = secrets.map((_, i) => `  s${i}: {type: string, secret: true}`).join('\n');
        const each = (text: (name: string) => string) => secrets.map((_, i) => text(`s${i}`)).join(' ');
        const recipe = `version: 1
name: r
inputs:
${inputs}
vars: {all: {sh: "printf '%s\\\\n' ${each((name) => `{{ quote inputs.${name} }}`)}"}}
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  say:
    needs: [volume]
    env: {ALL: "{{ vars.all }}"}
    outputs: {made: {secret: true}, open: }
    run: |
      echo "open=1" >> $CHROOTFILE_OUTPUT; echo "made=made-$((20+6))-here" >> $CHROOTFILE_OUTPUT
      echo made-2'6-here'
      printf '%s\\n' "$ALL" ${each((name) => `{{ quote inputs.${name} }}`)}
    undo: {run: "echo gone {{ quote inputs.s0 }}; exit 1"}
  mount:
    needs: [say]
    run: mkdir -p ${folder}/m; d=${folder}/m/$(printf %s {{ quote inputs.s1 }} | tr -c 'a-zA-Z0-9' _); mkdir -p $d
  fail:
    needs: [mount]
    run: |
      printf '%s\\n' {{ quote say.made }} ${each((name) => `{{ quote inputs.${name} }}`)} >&2
      exit 3
`;
        const env = {
          CHROOTFILE_LOCAL_LOG: join(folder, 'wire.ndjson'),
          ...Object.fromEntries(secrets.map((secret, i) => [`CHROOTFILE_INPUT_S${i}`, secret])),
        };
        const texts: string[] = [];
        for (const args of [
          ['--format', 'json'],
          ['--on-failure', 'keep', '-v'],
        ]) {
          writeFileSync(join(folder, 'r.yml'), recipe);
          const ran = await run(['run', 'r.yml', ...args], { folder, env });
          assert.is(ran.code, args.includes('keep') ? 1 : 5, ran.stdout + ran.stderr);
          texts.push(ran.stdout, ran.stderr);
        }
        // What is asked for only when a variable fails: the command with its arguments.
        writeFileSync(join(folder, 'r.yml'), recipe.replace('printf ', 'false {{ quote inputs.s2 }} printf '));
        const failed = await run(['run', 'r.yml'], { folder, env });
        assert.is(failed.code, 1, failed.stdout + failed.stderr);
        assert.match(failed.stdout + failed.stderr, 'false');
        for (const args of [['undo', '--all', '--json'], ['runs'], ['logs']]) {
          const ran = await run(args, { folder, env });
          texts.push(ran.stdout, ran.stderr);
        }
        texts.push(failed.stdout, failed.stderr, readFileSync(join(folder, 'wire.ndjson'), 'utf8'));
        const state = join(folder, 'state/runs');
        for (const file of readdirSync(state, { recursive: true, encoding: 'utf8' }))
          if (statSync(join(state, file)).isFile()) texts.push(readFileSync(join(state, file), 'utf8'));
        assert.ok(texts.length > 20, `${texts.length} texts`);
        const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
        for (const secret of [...secrets, 'made-26-here']) {
          const lines = secret.split('\n').filter((line) => line.trim().length >= 4);
          for (const form of [
            ...lines,
            ...lines.map((line) => JSON.stringify(line).slice(1, -1)),
            ...lines.map((line) => shell(line).slice(1, -1)),
            encodeURIComponent(secret),
          ])
            for (const text of texts) assert.not.ok(text.includes(form.trim()), `${JSON.stringify(form)} in ${text}`);
        }
      }),
    120_000,
  );

  test('across the place where a long line is cut, and in base64 that comes line by line', () =>
    inFolder({}, async (folder) => {
      const text = Array.from({ length: 12 }, (_, i) => `user ${i} has hunter${i}-and-more;`).join('');
      const ran = await runRecipe(
        folder,
        `inputs: {token: {type: string, secret: true}, text: {type: string, secret: true}}
tasks:
  long:
    env: {T: "{{ inputs.token }}"}
    run: |
      for n in 65500 65510 65520 65530 73700 73720; do
        head -c $n /dev/zero | tr '\\0' x; printf %s "$T"; head -c 70000 /dev/zero | tr '\\0' y; echo
      done
  base64:
    env: {T: "{{ inputs.text }}"}
    run: for n in 76 50 48; do printf %s "$T" | base64 -w $n | while read -r line; do echo "$line"; sleep 0.03; done; echo end; done
`,
        ['-i', 'token=hunter2-hunter3-hunter4', '-i', `text=${text}`],
      );
      assert.is(ran.code, 0, ran.ended.stderr);
      const long = ran.log('long');
      for (const part of ['hunter', 'unter', 'ter2', 'ter3', 'ter4']) assert.not.match(long, part);
      assert.is(long.match(/\*\*\*/g)?.length, 6);
      assert.ok(long.split('\n').every((line) => line.length <= 2 * 65_536 + 8_192));
      const lines = (width: number) => `${'***\n'.repeat(Math.ceil((text.length * 4) / 3 / width))}end\n`;
      assert.is(ran.log('base64'), lines(76) + lines(50) + lines(48));
    }));

  test('are hidden from the line on that names them, and outputs as soon as they are written', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `tasks:
  a:
    outputs: {token: {secret: true}, map: {type: map, secret: true}}
    shell: [bash, -e]
    run: |
      t=made-$RANDOM-here; echo "token=$t" >> $CHROOTFILE_OUTPUT; echo "it is $t"; printf %s "$t" | base64
      echo 'map={"k":"in a map"}' >> $CHROOTFILE_OUTPUT; echo in a map
      m=mask-$RANDOM-here; echo before; echo "::add-mask::$m"; echo "now $m"; echo "  ::add-mask::line-one%0Aline%25two"
      echo line-one; echo line%two; echo "text ::add-mask::is no command"; echo "::add-mask::"; echo ::add-mask::abc; echo abc
      printf '::add-mask::%s' the-last-line >&2
  b: {needs: [a], run: "echo the-last-line {{ a.token }}; exit 1", continue_on_error: true}
  c: {outputs: {o: {secret: true}}, run: "echo o=given-and-failed >> $CHROOTFILE_OUTPUT; echo given-and-failed; exit 1", continue_on_error: true}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(ran.log('a'), 'it is ***\n***\n***\nbefore\nnow ***\n***\n***\ntext ::add-mask::is no command\nabc\n');
      assert.is(ran.log('b'), '*** ***\n');
      assert.is(ran.log('c'), '***\n');
      assert.not.match(ran.ended.stdout, /the-last-line|given-and-failed/);
    }));

  const tooMany = 'chrootfile: a script can mask at most 1000 secrets with 262144 characters in total; further secrets are not hidden';

  test('a script names so many characters of them at most; the next are not hidden, and it is said', () => {
    const lines: string[] = [];
    const output = new TaskOutput(new Redactor(), { onLines: (more) => lines.push(...more) });
    const long = Array.from({ length: 6 }, (_, i) => `${i}${'x-y'.repeat(19_999)}z`);
    output.write(Buffer.from([...long.map((value) => `::add-mask::${value}\n`), `${long[3]}\n${long[4]}\n`].join('')));
    output.end();
    assert.equal(lines.slice(0, 2), [tooMany, '***']);
    assert.match(lines.slice(2).join(''), '4');
  });

  test('are looked for in a time that does not explode with what is written, and how often', () => {
    const slashed = `${"\\'".repeat(23)}z`;
    for (const [secrets, text, wanted] of [
      [['a'.repeat(65_536)], `${'a'.repeat(65_536)}\n${'YWFh'.repeat(16_384)}`, '***\n***'],
      [
        Array.from({ length: 1_000 }, (_, i) => `one-prefix-of-all-${i}`),
        'one-prefix-of-all-999 one-prefix-of-all- '.repeat(1_500),
        '*** one-prefix-of-all- '.repeat(1_500),
      ],
      // Four backslashes and a quote are a backslash and a quote in several ways.
      [[slashed], `${"\\\\\\\\'".repeat(23)}z`, '***'],
      [[slashed], `${"\\\\\\\\'".repeat(22)}y`, `${"\\\\\\\\'".repeat(22)}y`],
    ] as const) {
      const redactor = new Redactor();
      for (const secret of secrets) redactor.add(secret);
      const began = process.cpuUsage();
      assert.is(redactor.redact(text), wanted);
      const { user } = process.cpuUsage(began);
      assert.ok(user < 10e6, `${user} µs for ${secrets[0].slice(0, 40)}`);
    }
  }, 60_000);

  test('a script names a thousand at most; the next are not hidden, and it is said', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `tasks:\n  a: {run: "for i in $(seq 1002); do echo ::add-mask::mask-$i-end; done; echo mask-1000-end; echo mask-1002-end"}\n`,
      );
      assert.is(ran.log('a'), `${tooMany}\n***\nmask-1002-end\n`);
    }));

  test('in a message are taken out before it is cut', () =>
    inFolder({}, async (folder) => {
      const recipe = (length: number) => `inputs: {token: {type: string, secret: true}}
vars: {v: {sh: "false ${'x'.repeat(length)} {{ inputs.token }} and on"}}
tasks: {a: {run: "echo {{ vars.v }}"}}
`;
      for (const length of [360, 370, 380, 900, 930, 960, 980]) {
        const ran = await runRecipe(folder, recipe(length), ['-i', 'token=hunter2-hunter3-hunter4']);
        assert.is(ran.code, 1);
        assert.not.match(ran.ended.stdout, 'hunter');
        assert.match(ran.ended.stdout, length < 900 ? /x \*\*\* and on/ : /x/);
      }
    }));

  test('in a line of $CHROOTFILE_OUTPUT that is none are taken out whole', () =>
    inFolder({}, async (folder) => {
      const text = `inputs: {token: {type: string, secret: true}}
tasks: {a: {outputs: {o: }, run: "echo '${'x'.repeat(69)} {{ inputs.token }} and on' >> $CHROOTFILE_OUTPUT"}}
`;
      const ran = await runRecipe(folder, text, ['-i', 'token=hunter2-hunter3-hunter4']);
      assert.is(ran.code, 1);
      assert.match(ran.errors['a'] ?? '', `expects name=value lines, not "${'x'.repeat(69)} *** and on"`);
      assert.not.match(ran.ended.stdout + ran.ended.stderr, 'hunter');
    }));

  test(
    'in a file of inputs are not shown with what is wrong in it',
    () =>
      inFolder({ 'r.yml': 'version: 1\ninputs: {token: {type: string, secret: true}, n: {type: integer}}\ntasks: {a: {run: "true"}}\n' }, async (folder) => {
        const files = [
          '{"token": "hunter2", "n": "x"}',
          '{"token": "hunter2", "m": 1}',
          '{"token": "hunter2" "n": 1}',
          '"token": "hunter2\n"n": 1',
          'token: hunter2: hunter3',
          'token: !hunter2 x',
          'token: *hunter2',
          'token: |hunter2',
          'token: "hunter2" hunter3',
          'token: {{ hunter2 }}',
          'token: @hunter2',
          '%hunter2 x\n---\ntoken: hunter3',
          'token: &hunter2',
          'hunter2',
          'token: hunter2\n---\ntoken: hunter3',
          'token: [hunter2',
          '\ttoken: hunter2',
          '- hunter2',
        ];
        for (const text of files) {
          writeFileSync(join(folder, 'in.yml'), text);
          for (const format of text.startsWith('{"') ? ['text', 'json'] : ['text']) {
            const ran = await run(['check', 'r.yml', '--inputs', 'in.yml', '--format', format], { folder });
            if (ran.code !== 2) assert.is(text, 'token: &hunter2', ran.stdout + ran.stderr);
            assert.not.match(ran.stdout + ran.stderr, 'hunter', text);
          }
        }
        assert.not.match((await run(['run', 'r.yml', '-i', 'hunter2'], { folder })).stderr, 'hunter2');
      }),
    60_000,
  );
});
