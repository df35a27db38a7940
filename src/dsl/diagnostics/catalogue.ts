import { limits, limitText } from '../syntax/limits.js';
import type { CatalogueEntry } from './catalogue_entry.js';
import { warnings } from './warnings.js';

const library =
  'version: 1\ninputs: {size: {type: integer, required: true, description: Size in GiB}}\ntasks:\n  volume: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}\n  check: {internal: true, run: "true"}\n';

/** Every error and warning, by the code at the end of its message. */
export const catalogue = {
  ...warnings,
  'command-line': {
    means: 'The command line is invalid, or names a file that cannot be read.',
    wrong: 'inputs: {size: {type: integer, default: 1}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    right: 'inputs: {size: {type: integer, default: 1}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    typed: ['-i size', '-i size=8'],
  },
  cycle: {
    means: 'Tasks wait for each other, so none of them can start. The message shows each link of the cycle where it is written; remove one of them.',
    wrong: 'tasks:\n  packages: {needs: [cleanup], run: apt-get install -y nginx}\n  cleanup: {needs: [packages], run: apt-get clean}',
    right: 'tasks:\n  packages: {run: apt-get install -y nginx}\n  cleanup: {needs: [packages], run: apt-get clean}',
  },
  'does-nothing': {
    means: 'A task has neither `run` nor `uses`, and groups no other tasks with `needs`.',
    wrong: 'tasks:\n  packages: {description: The web server}',
    right: 'tasks:\n  packages: {description: The web server, run: apt-get install -y nginx}',
  },
  'duplicate-key': {
    means: 'A map has the same key twice. YAML does not define which value counts.',
    wrong: 'tasks:\n  a: {run: echo one}\n  a: {run: echo two}',
    right: 'tasks:\n  a: {run: echo one}\n  b: {run: echo two}',
  },
  duration: {
    means: 'A duration is one or more whole numbers with units, the largest unit first: `500ms`, `90s`, `20m`, `1h30m`.',
    wrong: 'tasks:\n  a: {run: "true", timeout: 20 minutes}',
    right: 'tasks:\n  a: {run: "true", timeout: 20m}',
  },
  enum: {
    means: 'The value is not one of the allowed values.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8, type: gp4}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8, type: gp3}}',
  },
  exclusive: {
    means: 'A key cannot be combined with the other keys of the task: a task has either `uses` or `run`, and many other keys require one of the two.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}, env: {LANG: C}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}}',
  },
  goal: {
    means: 'A goal is a task. Resources are released without being named.',
    wrong: 'goals: [volume.released]\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}',
    right: 'goals: [volume]\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}',
  },
  helper: {
    means: 'A template uses an unknown helper, or one with the wrong number of values. The page on the recipe language lists the helpers.',
    wrong: 'tasks:\n  a: {run: "echo {{ uppercase run.id }}"}',
    right: 'tasks:\n  a: {run: "echo {{ upper run.id }}"}',
  },
  in: {
    means: '`in` names one task whose kind is `chroot`. In a library it may be `inputs.NAME`, if the include sets that input to the path of a chroot.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  files: {run: "true"}\n  a: {in: files, run: apt-get update}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  files: {run: "true"}\n  a: {in: sys, run: apt-get update}',
  },
  include: {
    means: 'A library cannot be read, is not a recipe, or includes itself. chrootfile never prints lines of a file that lacks the keys `version` and `tasks`.',
    wrong: 'includes: {disk: {recipe: libary.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  input: {
    means:
      'The value of an input does not match its declaration: for example, it has the wrong type, or is not one of the allowed values. A secret must also have a minimum length.',
    wrong: 'inputs: {size: {type: integer, minimum: 1, default: 0}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    right: 'inputs: {size: {type: integer, minimum: 1, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
  },
  'inputs-file': {
    means:
      'A file for `--inputs` whose name ends in `.env` must consist of `NAME=value` lines, but one line has another form, such as `token: value`. chrootfile does not print the line, because it may contain a secret.',
    wrong: 'inputs: {token: {type: string, required: true, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./fetch}',
    right: 'inputs: {token: {type: string, required: true, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./fetch}',
    typed: ['--inputs wrong.env', '--inputs right.env'],
    files: { 'wrong.env': 'token: "hush-hush"\n', 'right.env': 'TOKEN="hush-hush"\n' },
  },
  instance: {
    means:
      'A name matches no instance of a matrix, or one value is needed and the name matches all instances. In a task with the same axes, a name means the instance with the same values; elsewhere write `build[arch=arm64]`, and in templates `build.[arch=arm64].id`.',
    wrong: 'tasks:\n  build: {strategy: {matrix: {arch: [amd64, arm64]}}, run: "true"}\n  a: {needs: ["build[arch=riscv64]"], run: "true"}',
    right: 'tasks:\n  build: {strategy: {matrix: {arch: [amd64, arm64]}}, run: "true"}\n  a: {needs: ["build[arch=arm64]"], run: "true"}',
  },
  internal: {
    means: 'Tasks with `internal: true` can be used only inside their library.',
    wrong: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.check], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  limit: {
    means: `The recipe exceeds a limit. A file has at most ${limitText(limits.fileBytes)}, and a recipe and its libraries have as many characters together. A recipe includes at most ${limitText(limits.modules)} libraries, nested ${limits.includeDepth} deep. It has at most ${limitText(limits.values)} values, nested ${limits.depth} deep, and ${limitText(limits.tasks)} tasks with ${limitText(limits.names)} names in all, counting instances. A key has at most ${limitText(limits.key)} characters, and a rendered value at most ${limitText(limits.rendered)}. At most ${limits.chain} names refer to each other in a chain.`,
    wrong:
      'vars:\n  a: &a [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n  e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n  f: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\ntasks:\n  a: {run: "true"}',
    right: 'vars:\n  a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\ntasks:\n  a: {run: "true"}',
  },
  matrix: {
    means: 'The matrix cannot be expanded. An axis is a list of short strings, numbers or booleans, without duplicates, that are known before the run.',
    wrong: 'tasks:\n  a: {strategy: {matrix: {size: [8, 8]}}, run: "true"}',
    right: 'tasks:\n  a: {strategy: {matrix: {size: [8, 16]}}, run: "true"}',
  },
  'merge-key': {
    means: 'Merge keys (`<<`) are not part of YAML 1.2, and recipes do not support them.',
    wrong: 'tasks:\n  a: &a {run: "true", timeout: 5m}\n  b:\n    <<: *a',
    right: 'defaults: {timeout: 5m}\ntasks:\n  a: {run: "true"}\n  b: {run: "true"}',
  },
  'missing-input': {
    means: 'A required input has no value.',
    wrong: 'includes: {disk: {recipe: library.yml}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  'missing-key': {
    means: 'A required key is missing.',
    wrong: 'tasks:\n  root: {uses: mount, with: {options: [ro]}}',
    right: 'tasks:\n  root: {uses: mount, with: {device: /dev/vdb1, options: [ro]}}',
  },
  mode: {
    means: 'YAML reads `0755` as the decimal number 755. Quote file modes.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {uses: chroot.upload, in: sys, with: {from: tool, to: /usr/bin/tool, mode: 0755}}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {uses: chroot.upload, in: sys, with: {from: tool, to: /usr/bin/tool, mode: "0755"}}',
  },
  name: {
    means:
      'Names consist of lower-case letters, digits and `_`, and begin with a letter; names of tasks and includes may also have `-`. Includes, tasks and outputs share one name space, in which some names are reserved and no two names differ only in `-` and `_`.',
    wrong: 'tasks:\n  Install: {run: apt-get install -y nginx}',
    right: 'tasks:\n  install-nginx: {run: apt-get install -y nginx}',
  },
  'not-set': {
    means: 'A template uses an environment variable that is not set.',
    wrong: 'tasks:\n  a: {run: "echo {{ env.IMAGE_LABEL }}"}',
    right: 'tasks:\n  a: {run: "echo {{ default env.IMAGE_LABEL \'none\' }}"}',
  },
  number: {
    means:
      'YAML reads `1.10` as the number 1.1, `0755` as 755 and `True` as true. Quote such values in `env`, `vars`, a matrix and `outputs` if they are strings.',
    wrong: 'env: {GO_VERSION: 1.10}\ntasks:\n  a: {run: echo "$GO_VERSION"}',
    right: 'env: {GO_VERSION: "1.10"}\ntasks:\n  a: {run: echo "$GO_VERSION"}',
  },
  package: {
    means:
      'A library in an npm package cannot be found. chrootfile looks it up from the folder of the recipe, as Node does; npm handles versions and integrity.',
    wrong: 'includes: {disk: {recipe: "npm:@acme/images"}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: "npm:@acme/images/disk.yml", with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'node_modules/@acme/images/package.json': '{"name": "@acme/images", "version": "1.0.0"}\n', 'node_modules/@acme/images/disk.yml': library },
  },
  pattern: {
    means: 'A string does not have the required form, or a regular expression is invalid.',
    wrong: 'tasks:\n  disk: {uses: ec2.attachment, with: {volume: my-volume}}',
    right: 'tasks:\n  disk: {uses: ec2.attachment, with: {volume: vol-0123456789abcdef0}}',
  },
  range: {
    means: 'A number is too small or too large, or a string or list is too short or too long.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 0}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 1}}',
  },
  release: {
    means: '`NAME.released` requires a resource, and only `needs` can name a release.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a.released], run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  script: {
    means:
      'A script has a syntax error, such as an unclosed quote or `if`. For a script `in` a chroot this is a warning, since the image may have another shell. chrootfile checks scripts for sh and bash, and reads each template as one word.',
    wrong: 'tasks:\n  a:\n    run: |\n      if test -e /etc/os-release; then\n        cat /etc/os-release',
    right: 'tasks:\n  a:\n    run: |\n      if test -e /etc/os-release; then\n        cat /etc/os-release\n      fi',
  },
  'script-file': {
    means: 'The script in `run: {file: …}` or `undo` cannot be read.',
    wrong: 'tasks:\n  a: {run: {file: setpu.sh}}',
    right: 'tasks:\n  a: {run: {file: setup.sh}}',
    files: { 'setup.sh': 'true\n' },
  },
  secret: {
    means: 'A secret would become visible, in a name, a tag, a condition, or a printed output.',
    wrong: 'inputs: {token: {type: string, secret: true}}\ntasks:\n  v: {uses: ec2.volume, with: {size: 8, tags: {token: "{{ inputs.token }}"}}}',
    right: 'inputs: {token: {type: string, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./register.sh}',
  },
  shell: {
    means:
      'chrootfile passes the script to its interpreter as a file, in the last argument. With `-c` the interpreter would run the path of the file as the script.',
    wrong: 'tasks:\n  a: {shell: [bash, -c], run: apt-get update}',
    right: 'tasks:\n  a: {shell: [bash, -e], run: apt-get update}',
  },
  template: {
    means: 'A string with `{{` is not a valid template. For literal braces, write `\\{{`, or set `template: false` in the task.',
    wrong: 'tasks:\n  a: {run: "docker inspect -f {{.Id}} app"}',
    right: 'tasks:\n  a: {template: false, run: "docker inspect -f {{.Id}} app"}',
  },
  'template-word': {
    means: 'A template uses a feature of Handlebars that recipes do not support. Templates consist of names, helpers, `#if`, `#unless` and `else`.',
    wrong: 'inputs: {names: {type: list, default: [nginx]}}\ntasks:\n  a: {run: "apt-get install {{#each inputs.names}}{{ this }} {{/each}}"}',
    right: 'inputs: {names: {type: list, default: [nginx]}}\ntasks:\n  a: {run: "apt-get install {{ quote inputs.names }}"}',
  },
  'too-early': {
    means: 'The value must be known before the first task runs, so it cannot use the output of a task.',
    wrong: 'vars: {label: "from {{ volume.id }}"}\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  a: {run: "echo {{ vars.label }}"}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  a: {run: "echo from {{ volume.id }}"}',
  },
  type: {
    means: 'The value has the wrong type: for example, a string instead of a list, or a number instead of a string.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {needs: a, run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  'unknown-input': {
    means: 'A value is set for an input that the recipe or library does not declare.',
    wrong: 'includes: {disk: {recipe: library.yml, with: {size: 8, name: x}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  'unknown-key': {
    means: 'The key does not exist at this place. If it is a key of another tool, the message names the key of chrootfile.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {deps: [a], run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  'unknown-kind': {
    means: '`uses` names a kind that does not exist. `chrootfile kinds` lists the kinds.',
    wrong: 'tasks:\n  v: {uses: ebs.volume, with: {size: 8}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}}',
  },
  'unknown-name': {
    means: 'A template uses a name that does not exist.',
    wrong: 'inputs: {size: {type: integer, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.sise }}"}}',
    right: 'inputs: {size: {type: integer, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
  },
  'unknown-output': {
    means: 'The task has no output of that name. A script declares its outputs in `outputs`.',
    wrong: 'tasks:\n  a: {run: "echo version=1 >> $CHROOTFILE_OUTPUT"}\n  b: {run: "echo {{ a.version }}"}',
    right: 'tasks:\n  a: {run: "echo version=1 >> $CHROOTFILE_OUTPUT", outputs: {version: {}}}\n  b: {run: "echo {{ a.version }}"}',
  },
  'unknown-task': {
    means: 'The task does not exist.',
    wrong: 'tasks:\n  packages: {run: "true"}\n  a: {needs: [package], run: "true"}',
    right: 'tasks:\n  packages: {run: "true"}\n  a: {needs: [packages], run: "true"}',
  },
  unquoted: {
    means: 'A value that begins with `{{` must be quoted; YAML reads it as a map inside a map.',
    wrong: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  disk:\n    uses: ec2.attachment\n    with:\n      volume: {{ volume.id }}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  disk:\n    uses: ec2.attachment\n    with:\n      volume: "{{ volume.id }}"',
  },
  'up-to-date': {
    means: 'The task could be skipped although its work is not done, or could never be skipped.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {in: sys, sources: [packages.txt], run: "true"}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {in: sys, sources: [packages.txt], status: [test -x /usr/sbin/nginx], run: "true"}',
  },
  version: {
    means: 'Every recipe begins with the version of the recipe language. The only version is 1.',
    wrong: 'version: 2\ntasks:\n  a: {run: "true"}',
    right: 'version: 1\ntasks:\n  a: {run: "true"}',
  },
  yaml: {
    means: 'The file is not valid YAML 1.2, or uses a feature that recipes do not have: tags, several documents, or an alias inside its own anchor.',
    wrong: 'tasks:\n  a: {run: "true"',
    right: 'tasks:\n  a: {run: "true"}',
  },
} as const satisfies Record<string, CatalogueEntry>;
