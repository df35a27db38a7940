import { limits, limitText } from '../syntax/limits.js';

/** What an error is: for the manual, with a recipe that has it and one that does not. */
export interface CatalogueEntry {
  readonly means: string;
  /** Whether it is a warning: the recipe runs all the same. */
  readonly warning?: true;
  /** A recipe with the error; `version: 1` is part of it unless it has another. */
  readonly wrong: string;
  /** The same, put right. */
  readonly right: string;
  /** For errors of the command line: what is typed after `chrootfile plan r.yml`, wrong and right. */
  readonly typed?: readonly [wrong: string, right: string];
  /** Other files they need. */
  readonly files?: Readonly<Record<string, string>>;
}

const library =
  'version: 1\ninputs: {size: {type: integer, required: true, description: Size in GiB}}\ntasks:\n  volume: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}\n  check: {internal: true, run: "true"}\n';

const imageLibrary = `version: 1
tasks:
  volume: {uses: ec2.volume, with: {size: 8}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  chroot: {uses: chroot, with: {root: "{{ root.path }}"}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: web, snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

/** Every error that is told of recipes and of the command line, by the word at the end of its message. */
export const catalogue = {
  'command-line': {
    means: 'What is typed cannot be understood, or names a file that cannot be read.',
    wrong: 'inputs: {size: {type: integer, default: 1}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    right: 'inputs: {size: {type: integer, default: 1}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    typed: ['-i size', '-i size=8'],
  },
  cycle: {
    means: 'Things wait for each other, so none could ever begin. Every link of the circle is shown where it is written; take one of them out.',
    wrong: 'tasks:\n  packages: {needs: [cleanup], run: apt-get install -y nginx}\n  cleanup: {needs: [packages], run: apt-get clean}',
    right: 'tasks:\n  packages: {run: apt-get install -y nginx}\n  cleanup: {needs: [packages], run: apt-get clean}',
  },
  'does-nothing': {
    means: 'A task has nothing to do.',
    wrong: 'tasks:\n  packages: {description: What is installed}',
    right: 'tasks:\n  packages: {description: What is installed, run: apt-get install -y nginx}',
  },
  'duplicate-key': {
    means: 'A key stands twice in one map. YAML has no rule which of them counts.',
    wrong: 'tasks:\n  a: {run: echo one}\n  a: {run: echo two}',
    right: 'tasks:\n  a: {run: echo one}\n  b: {run: echo two}',
  },
  duration: {
    means: 'A duration is one or more whole numbers with units, the largest unit first: `500ms`, `90s`, `20m`, `1h30m`.',
    wrong: 'tasks:\n  a: {run: "true", timeout: 20 minutes}',
    right: 'tasks:\n  a: {run: "true", timeout: 20m}',
  },
  enum: {
    means: 'The value is none of those that may stand there.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8, type: gp4}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8, type: gp3}}',
  },
  exclusive: {
    means: 'A key does not go with the other keys of the task: `uses` and `run` exclude each other, and many keys belong to one of them.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}, env: {LANG: C}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}}',
  },
  'folded-script': {
    warning: true,
    means: 'YAML joins the lines of a text after `>` with spaces, so several commands become one. `|` keeps the lines.',
    wrong: 'tasks:\n  packages:\n    run: >\n      apt-get update\n      apt-get install -y nginx',
    right: 'tasks:\n  packages:\n    run: |\n      apt-get update\n      apt-get install -y nginx',
  },
  'foreign-syntax': {
    warning: true,
    means: 'A text has an expression of Terraform, Jinja, make or another tool in it. chrootfile does not evaluate it, so it stays as it is written.',
    wrong: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo ${var.name}"}',
    right: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo {{ inputs.name }}"}',
  },
  goal: {
    means: 'A goal is a task. Releases follow by themselves.',
    wrong: 'goals: [volume.released]\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}',
    right: 'goals: [volume]\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}',
  },
  helper: {
    means: 'A helper in a template is unknown, or is not used as it wants to be. `chrootfile kinds` does not list them; the page on the language does.',
    wrong: 'tasks:\n  a: {run: "echo {{ uppercase run.id }}"}',
    right: 'tasks:\n  a: {run: "echo {{ upper run.id }}"}',
  },
  in: {
    means: '`in` names one task that is a chroot. In a library it may be `inputs.NAME`, for which the include gives the path of a chroot.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  files: {run: "true"}\n  a: {in: files, run: apt-get update}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  files: {run: "true"}\n  a: {in: sys, run: apt-get update}',
  },
  include: {
    means: 'A library cannot be read, is no recipe, or includes itself. Of a file without the keys `version` and `tasks` nothing is shown, whatever it is.',
    wrong: 'includes: {disk: {recipe: libary.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  input: {
    means: 'The value of an input is not what the recipe declares: not of its type, not among its values, too small, too short for a secret.',
    wrong: 'inputs: {size: {type: integer, minimum: 1, default: 0}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
    right: 'inputs: {size: {type: integer, minimum: 1, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
  },
  'inputs-file': {
    means:
      'A file for `--inputs` whose name ends in `.env` has lines `NAME=value`, and here one is something else, such as `token: value`. The line is not shown: it may hold a secret.',
    wrong: 'inputs: {token: {type: string, required: true, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./fetch}',
    right: 'inputs: {token: {type: string, required: true, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./fetch}',
    typed: ['--inputs wrong.env', '--inputs right.env'],
    files: { 'wrong.env': 'token: "hush-hush"\n', 'right.env': 'TOKEN="hush-hush"\n' },
  },
  instance: {
    means:
      'A name means no instance of a matrix, or one instance where all of them are named. A task with the same axes means the instance with its own values; every other one writes `build[arch=arm64]`, in templates `build.[arch=arm64].id`.',
    wrong: 'tasks:\n  build: {strategy: {matrix: {arch: [amd64, arm64]}}, run: "true"}\n  a: {needs: ["build[arch=riscv64]"], run: "true"}',
    right: 'tasks:\n  build: {strategy: {matrix: {arch: [amd64, arm64]}}, run: "true"}\n  a: {needs: ["build[arch=arm64]"], run: "true"}',
  },
  internal: {
    means: 'A task of a library is for the library alone.',
    wrong: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.check], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  limit: {
    means: `The recipe is larger than any that is meant, or makes itself so. Files have at most ${limitText(limits.fileBytes)}, a recipe and its libraries together as many characters; ${limitText(limits.modules)} libraries are included, ${limits.includeDepth} deep; there are ${limitText(limits.values)} values, ${limits.depth} deep, keys of ${limitText(limits.key)} characters, ${limitText(limits.tasks)} tasks with ${limitText(limits.names)} names in all of them, instances counted, ${limits.chain} names that refer to each other in a row, and rendered values of ${limitText(limits.rendered)}.`,
    wrong:
      'vars:\n  a: &a [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n  e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n  f: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\ntasks:\n  a: {run: "true"}',
    right: 'vars:\n  a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\ntasks:\n  a: {run: "true"}',
  },
  matrix: {
    means: 'A matrix cannot be made into tasks: every axis is a list of short texts, numbers or booleans that is known before anything runs.',
    wrong: 'tasks:\n  a: {strategy: {matrix: {size: [8, 8]}}, run: "true"}',
    right: 'tasks:\n  a: {strategy: {matrix: {size: [8, 16]}}, run: "true"}',
  },
  'merge-key': {
    means: 'Merge keys (`<<`) are no part of YAML 1.2, nor of the language.',
    wrong: 'tasks:\n  a: &a {run: "true", timeout: 5m}\n  b:\n    <<: *a',
    right: 'defaults: {timeout: 5m}\ntasks:\n  a: {run: "true"}\n  b: {run: "true"}',
  },
  'missing-braces': {
    warning: true,
    means: 'A value is the name of a task or of its output, without braces. It is used as a text.',
    wrong: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: volume.id}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: "{{ volume.id }}"}',
  },
  'missing-input': {
    means: 'An input must have a value and has none.',
    wrong: 'includes: {disk: {recipe: library.yml}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  'missing-key': {
    means: 'A key that must be there is not.',
    wrong: 'tasks:\n  root: {uses: mount, with: {options: [ro]}}',
    right: 'tasks:\n  root: {uses: mount, with: {device: /dev/vdb1, options: [ro]}}',
  },
  mode: {
    means: 'YAML reads `0755` as the number seven hundred and fifty-five. Modes of files are texts.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {uses: chroot.upload, in: sys, with: {from: tool, to: /usr/bin/tool, mode: 0755}}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {uses: chroot.upload, in: sys, with: {from: tool, to: /usr/bin/tool, mode: "0755"}}',
  },
  name: {
    means:
      'Names have lower-case letters, digits and `_`, and begin with a letter; names of tasks and includes may have `-` too. Includes, tasks and outputs share one name space, in which some names are reserved and no two names differ only in `-` and `_`.',
    wrong: 'tasks:\n  Install: {run: apt-get install -y nginx}',
    right: 'tasks:\n  install-nginx: {run: apt-get install -y nginx}',
  },
  'no-image': {
    warning: true,
    means:
      'Tasks work in the chroot of a library, and nothing asks the library for its image: the run succeeds, and what they did is deleted with the volume. An output of the recipe asks for it; where the recipe has `goals`, a goal does.',
    wrong: 'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}',
    right:
      'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}\noutputs: {image_id: "{{ ami.image_id }}"}',
    files: { 'library.yml': imageLibrary },
  },
  'not-set': {
    means: 'A variable of the environment is not set, so the template has no value for it.',
    wrong: 'tasks:\n  a: {run: "echo {{ env.IMAGE_LABEL }}"}',
    right: 'tasks:\n  a: {run: "echo {{ default env.IMAGE_LABEL \'none\' }}"}',
  },
  number: {
    means:
      'YAML reads `1.10` as the number 1.1, `0755` as 755 and `True` as true. Where a text may be meant, as in `env`, `vars`, a matrix and `outputs`, quotes say so.',
    wrong: 'env: {GO_VERSION: 1.10}\ntasks:\n  a: {run: echo "$GO_VERSION"}',
    right: 'env: {GO_VERSION: "1.10"}\ntasks:\n  a: {run: echo "$GO_VERSION"}',
  },
  package: {
    means:
      'A library of an npm package cannot be found from the folder of the recipe, as Node would look for it. Which version it is, and whether it is whole, is the affair of npm and its lock file.',
    wrong: 'includes: {disk: {recipe: "npm:@acme/images"}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: "npm:@acme/images/disk.yml", with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'node_modules/@acme/images/package.json': '{"name": "@acme/images", "version": "1.0.0"}\n', 'node_modules/@acme/images/disk.yml': library },
  },
  pattern: {
    means: 'A text does not have the form that is wanted there, or a regular expression is none.',
    wrong: 'tasks:\n  disk: {uses: ec2.attachment, with: {volume: my-volume}}',
    right: 'tasks:\n  disk: {uses: ec2.attachment, with: {volume: vol-0123456789abcdef0}}',
  },
  range: {
    means: 'A number, a text or a list is too small or too large.',
    wrong: 'tasks:\n  v: {uses: ec2.volume, with: {size: 0}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 1}}',
  },
  release: {
    means: 'Only resources are released, and only `needs` names releases.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a.released], run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  script: {
    means:
      'The shell cannot read a script: something is not closed, or stands where it must not. In a script `in` a chroot this is a warning, since the shell of the image may be another one than that of this machine. Scripts for sh and bash are checked, each template read as one word.',
    wrong: 'tasks:\n  a:\n    run: |\n      if test -e /etc/os-release; then\n        cat /etc/os-release',
    right: 'tasks:\n  a:\n    run: |\n      if test -e /etc/os-release; then\n        cat /etc/os-release\n      fi',
  },
  'script-file': {
    means: 'The file of a script cannot be read.',
    wrong: 'tasks:\n  a: {run: {file: setpu.sh}}',
    right: 'tasks:\n  a: {run: {file: setup.sh}}',
    files: { 'setup.sh': 'true\n' },
  },
  secret: {
    means: 'A secret would be seen: in a name, a tag, a condition, or what is printed at the end.',
    wrong: 'inputs: {token: {type: string, secret: true}}\ntasks:\n  v: {uses: ec2.volume, with: {size: 8, tags: {token: "{{ inputs.token }}"}}}',
    right: 'inputs: {token: {type: string, secret: true}}\ntasks:\n  a: {env: {TOKEN: "{{ inputs.token }}"}, run: ./register.sh}',
  },
  shell: {
    means: 'The script comes to its interpreter as a file, the last argument. With `-c` the path of that file would be taken for the script.',
    wrong: 'tasks:\n  a: {shell: [bash, -c], run: apt-get update}',
    right: 'tasks:\n  a: {shell: [bash, -e], run: apt-get update}',
  },
  'shell-variable': {
    warning: true,
    means:
      'A script uses a variable of the shell that has the name of an input or a variable of the recipe, and nothing sets it. Inputs and variables of a recipe are not in the environment of scripts unless `env` puts them there.',
    wrong: 'vars: {greeting: hello}\ntasks:\n  a: {run: echo "$greeting"}',
    right: 'vars: {greeting: hello}\ntasks:\n  a: {env: {greeting: "{{ vars.greeting }}"}, run: echo "$greeting"}',
  },
  template: {
    means: 'A text with `{{` cannot be read as a template. Where braces mean something else, write `\\{{`, or `template: false` at the task.',
    wrong: 'tasks:\n  a: {run: "docker inspect -f {{.Id}} app"}',
    right: 'tasks:\n  a: {template: false, run: "docker inspect -f {{.Id}} app"}',
  },
  'template-word': {
    means: 'A template uses a part of its language that recipes have not: there are names, helpers, `#if`, `#unless` and `else`.',
    wrong: 'inputs: {names: {type: list, default: [nginx]}}\ntasks:\n  a: {run: "apt-get install {{#each inputs.names}}{{ this }} {{/each}}"}',
    right: 'inputs: {names: {type: list, default: [nginx]}}\ntasks:\n  a: {run: "apt-get install {{ quote inputs.names }}"}',
  },
  'too-early': {
    means: 'The value must be known before the first task runs, so it cannot come from one.',
    wrong: 'vars: {label: "from {{ volume.id }}"}\ntasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  a: {run: "echo {{ vars.label }}"}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  a: {run: "echo from {{ volume.id }}"}',
  },
  type: {
    means: 'The value is of another type than wanted: a text for a list, a number for a text.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {needs: a, run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  typography: {
    warning: true,
    means: 'A script has typographic quotes or dashes, as word processors and web pages write them. The shell takes them for text.',
    wrong: 'tasks:\n  a: {run: apt-get install –y nginx}',
    right: 'tasks:\n  a: {run: apt-get install -y nginx}',
  },
  'unknown-input': {
    means: 'A value is given for an input that is not declared.',
    wrong: 'includes: {disk: {recipe: library.yml, with: {size: 8, name: x}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    right: 'includes: {disk: {recipe: library.yml, with: {size: 8}}}\ntasks:\n  a: {needs: [disk.volume], run: "true"}',
    files: { 'library.yml': library },
  },
  'unknown-key': {
    means: 'A key is no word of the language at this place. Words of other tools are known, and the word that is meant is told.',
    wrong: 'tasks:\n  a: {run: "true"}\n  b: {deps: [a], run: "true"}',
    right: 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], run: "true"}',
  },
  'unknown-kind': {
    means: 'There is no built-in kind of that name; `chrootfile kinds` lists them.',
    wrong: 'tasks:\n  v: {uses: ebs.volume, with: {size: 8}}',
    right: 'tasks:\n  v: {uses: ec2.volume, with: {size: 8}}',
  },
  'unknown-name': {
    means: 'A name in a template means nothing.',
    wrong: 'inputs: {size: {type: integer, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.sise }}"}}',
    right: 'inputs: {size: {type: integer, default: 8}}\ntasks:\n  v: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}',
  },
  'unknown-output': {
    means: 'A task has no output of that name. A script declares its own in `outputs`.',
    wrong: 'tasks:\n  a: {run: "echo version=1 >> $CHROOTFILE_OUTPUT"}\n  b: {run: "echo {{ a.version }}"}',
    right: 'tasks:\n  a: {run: "echo version=1 >> $CHROOTFILE_OUTPUT", outputs: {version: {}}}\n  b: {run: "echo {{ a.version }}"}',
  },
  'unknown-task': {
    means: 'There is no task of that name.',
    wrong: 'tasks:\n  packages: {run: "true"}\n  a: {needs: [package], run: "true"}',
    right: 'tasks:\n  packages: {run: "true"}\n  a: {needs: [packages], run: "true"}',
  },
  unquoted: {
    means: 'A value that begins with `{{` must be quoted, else YAML reads a map in a map.',
    wrong: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  disk:\n    uses: ec2.attachment\n    with:\n      volume: {{ volume.id }}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\n  disk:\n    uses: ec2.attachment\n    with:\n      volume: "{{ volume.id }}"',
  },
  'up-to-date': {
    means: 'The task would be skipped wrongly, or never, for being up to date.',
    wrong: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {in: sys, sources: [packages.txt], run: "true"}',
    right: 'tasks:\n  sys: {uses: chroot, with: {root: /srv/image}}\n  a: {in: sys, sources: [packages.txt], status: [test -x /usr/sbin/nginx], run: "true"}',
  },
  version: {
    means: 'Every recipe says which version of the language it is written in. There is one so far.',
    wrong: 'version: 2\ntasks:\n  a: {run: "true"}',
    right: 'version: 1\ntasks:\n  a: {run: "true"}',
  },
  yaml: {
    means: 'The text is not YAML 1.2, or uses what recipes do without: tags, several documents, aliases inside their own anchor.',
    wrong: 'tasks:\n  a: {run: "true"',
    right: 'tasks:\n  a: {run: "true"}',
  },
} as const satisfies Record<string, CatalogueEntry>;
