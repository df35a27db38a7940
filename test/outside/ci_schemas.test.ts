import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { repository } from '../support/program.js';
import { suite } from '../support/suite.js';

const page = readFileSync(join(repository, 'docs/ci.md'), 'utf8');
const [github = '', gitlab = '', ami = '', direct = ''] = [...page.matchAll(/```yml\n([\s\S]*?)```/g)].map(([, text]) => text);

const python = process.env['CHROOTFILE_NEWEST_PYTHON'] ?? '';

/** Validates a file by a schema that check-jsonschema brings along. @returns the exit code, and what it printed. */
function validated(folder: string, ...args: readonly string[]): readonly [number | null, string] {
  const { status, stdout, stderr, error } = spawnSync(python, ['-m', 'check_jsonschema', ...args], { cwd: folder, encoding: 'utf8' });
  return [status, error === undefined ? stdout + stderr : error.message];
}

suite(
  'the CI page',
  (test) => {
    test('its workflows are valid by the schemas of GitHub Actions and GitLab CI', () =>
      inFolder(
        { 'build.yml': github, 'ami.yml': ami, 'direct.yml': direct, 'gitlab.yml': gitlab, 'bad.yml': github.replaceAll('runs-on', 'run-on') },
        (folder) => {
          const workflows = ['--builtin-schema', 'vendor.github-workflows'];
          assert.equal(validated(folder, ...workflows, 'build.yml', 'ami.yml', 'direct.yml'), [0, 'ok -- validation done\n']);
          assert.is(validated(folder, ...workflows, 'bad.yml')[0], 1);
          const pipeline = ['--builtin-schema', 'vendor.gitlab-ci', '--data-transform', 'gitlab-ci'];
          assert.equal(validated(folder, ...pipeline, 'gitlab.yml'), [0, 'ok -- validation done\n']);
        },
      ));
  },
  python === '' ? 'CHROOTFILE_NEWEST_PYTHON names no Python with check-jsonschema' : undefined,
);
