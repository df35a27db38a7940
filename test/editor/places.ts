/** A place in a recipe, marked by `|`, and what an editor says there. */
export interface Case {
  /** What a person is doing there. */
  readonly sort: string;
  readonly marked: string;
  /** What must be offered or said; for completion some of the labels, for hover a piece of the text. */
  readonly expect: readonly string[];
  /** What must not be. */
  readonly without?: readonly string[];
}

/** Places that any recipe has. */
export const completions: readonly Case[] = [
  { sort: 'a key of the recipe', marked: 'version: 1\n|', expect: ['inputs', 'includes', 'tasks', 'outputs', 'cloud'], without: ['version'] },
  { sort: 'a key of a task', marked: 'version: 1\ntasks:\n  a:\n    |', expect: ['uses', 'run', 'in', 'needs', 'retries', 'undo'] },
  { sort: 'a key of a task', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    |', expect: ['shell', 'env', 'timeout', 'outputs'], without: ['run'] },
  { sort: 'a kind', marked: 'version: 1\ntasks:\n  a:\n    uses: |', expect: ['ec2.volume', 'disk.root', 'mount', 'chroot', 'chroot.upload'] },
  {
    sort: 'a parameter of a kind',
    marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    with:\n      |',
    expect: ['device', 'path', 'options'],
    without: ['volume'],
  },
  {
    sort: 'a parameter of a kind',
    marked: 'version: 1\ntasks:\n  a:\n    uses: chroot\n    with:\n      root: /srv\n      |',
    expect: ['copy_files', 'services'],
    without: ['root'],
  },
  {
    sort: 'a parameter before its kind',
    marked: 'version: 1\ntasks:\n  a:\n    with:\n      |\n    uses: ec2.image\n',
    expect: ['name', 'snapshot', 'boot_mode'],
  },
  {
    sort: 'a value of a parameter',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.filesystem\n    with:\n      type: |',
    expect: ['ext4', 'xfs', 'btrfs', 'vfat'],
  },
  { sort: 'a value of a parameter', marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.image\n    with:\n      boot_mode: |', expect: ['legacy-bios', 'uefi'] },
  { sort: 'a key of an input', marked: 'version: 1\ninputs:\n  a:\n    type: string\n    |', expect: ['default', 'required', 'pattern', 'secret'] },
  { sort: 'a value of a key', marked: 'version: 1\ninputs:\n  a:\n    type: |', expect: ['string', 'path', 'integer', 'list'] },
  { sort: 'a value of a key', marked: 'version: 1\ncloud:\n  provider: |', expect: ['local', 'aws'] },
  { sort: 'a key of an include', marked: 'version: 1\nincludes:\n  ami:\n    |', expect: ['recipe', 'with'] },
  { sort: 'a key of a script file', marked: 'version: 1\ntasks:\n  a:\n    run:\n      |', expect: ['file'] },
  {
    sort: 'a key inside a list',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.partition\n    with:\n      device: /dev/x\n      partitions:\n        - |',
    expect: ['name', 'size', 'type'],
  },
  { sort: 'a value of a key', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    undo:\n      when: |', expect: ['failure', 'always'] },
];

export const hovers: readonly Case[] = [
  { sort: 'what a key of the recipe is', marked: 'version: 1\ninc|ludes: {}\n', expect: ['Libraries: other recipes'] },
  { sort: 'what a key of a task is', marked: 'version: 1\ntasks:\n  a:\n    nee|ds: []\n', expect: ['Tasks that must have succeeded', 'needs: [packages]'] },
  {
    sort: 'what a kind does',
    marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.atta|chment\n    with: {volume: vol-0}\n',
    expect: ['Attaches a volume to this machine'],
  },
  {
    sort: 'what a parameter means',
    marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.volume\n    with: {ty|pe: gp3}\n',
    expect: ['Volume type', '`gp3`'],
  },
  {
    sort: 'what a parameter means',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.root\n    with: {device: /dev/x, parti|tion: 1}\n',
    expect: ['Number of the root partition, to skip the search'],
  },
];

export const faults: readonly Case[] = [
  { sort: 'an unknown key', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    |dependencies: [b]\n', expect: ['Property dependencies is not allowed.'] },
  { sort: 'an unknown kind', marked: 'version: 1\ntasks:\n  a:\n    uses: |ec2.volumes\n', expect: ['Value is not accepted. Valid values:'] },
  {
    sort: 'an unknown parameter',
    marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    with: {device: /dev/x, |devise: /dev/y}\n',
    expect: ['Property devise is not allowed.'],
  },
  { sort: 'a missing parameter', marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    |with: {path: /srv}\n', expect: ['Missing property "device".'] },
  { sort: 'a wrong type', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    needs: |b\n', expect: ['Incorrect type. Expected "array".'] },
  { sort: 'a missing key', marked: '|version: 1\n', expect: ['Missing property "tasks".'] },
];

/** A recipe whose schema is written beside it; the places below are in it as it is being changed. */
export const recipe = `version: 1
inputs:
  release: {type: string, default: bookworm, description: Release of Debian}
  size: {type: integer, default: 8, description: Size in GiB}
  packages: {type: list, default: [], description: What is installed}
vars: {label: web}
includes:
  ami:
    recipe: lib.yml
    with: {name: web}
tasks:
  volume:
    description: A new, empty volume
    uses: ec2.volume
    with: {size: 1}
  disk:
    uses: ec2.attachment
    with: {volume: "{{ volume.id }}"}
  rootfs:
    uses: disk.filesystem
    with: {device: "{{ disk.device }}", type: ext4}
  root:
    uses: mount
    with: {device: "{{ rootfs.device }}"}
  sys:
    uses: chroot
    with: {root: "{{ root.path }}"}
  build:
    strategy: {matrix: {arch: [amd64, arm64]}}
    outputs: {id: {type: integer}}
    run: "true"
  packages:
    description: What is installed
    in: sys
    outputs: {version: {}}
    run: "true"
  snapshot:
    uses: ec2.snapshot
    with: {volume: "{{ volume.id }}"}
`;

/** What it includes. */
export const library = `version: 1
description: A library of the tests
inputs:
  name: {type: string, required: true, description: Name of the image}
  flavor: {type: string, default: plain, enum: [plain, full], description: What is put on it}
  minimal: {type: boolean, default: false, description: Whether documentation is left out}
  chroot: {type: string, description: Path of a chroot}
tasks:
  sys: {description: The system of the library, uses: chroot, with: {root: /srv}}
  hidden: {internal: true, run: "true"}
  image: {uses: ec2.image, with: {name: "{{ inputs.name }}", snapshot: snap-0}}
outputs: {image_id: "{{ image.id }}"}
`;

const task = (text: string) => `${recipe}  new:\n${text}`;
const include = (text: string) => recipe.replace('    with: {name: web}\n', `    with:\n${text}`);

/** Places where the names of this recipe stand. */
export const namedCompletions: readonly Case[] = [
  { sort: 'a task in needs', marked: task('    needs: [|]\n'), expect: ['volume', 'packages', 'ami.sys', 'ami.image'], without: ['ami.hidden'] },
  { sort: 'a task in needs', marked: task('    run: "true"\n    needs:\n      - |\n'), expect: ['volume', 'snapshot', 'build'] },
  { sort: 'a task in needs', marked: task('    needs: [volume, |]\n'), expect: ['disk', 'root'] },
  {
    sort: 'the release of a resource',
    marked: task('    needs: [|]\n'),
    expect: ['volume.released', 'root.released', 'ami.sys.released'],
    without: ['packages.released'],
  },
  { sort: 'an instance of a matrix', marked: task('    needs: [|]\n'), expect: ['build', 'build[arch=amd64]', 'build[arch=arm64]'] },
  { sort: 'a task in before', marked: task('    run: "true"\n    before: [|]\n'), expect: ['packages', 'ami.image'], without: ['volume.released'] },
  { sort: 'a task in before', marked: task('    run: "true"\n    before:\n      - |\n'), expect: ['snapshot'] },
  {
    sort: 'a chroot',
    marked: task('    run: "true"\n    in: |\n'),
    expect: ['sys', 'ami.sys', 'inputs.release'],
    without: ['volume', 'packages', 'inputs.size'],
  },
  { sort: 'a goal', marked: `${recipe}goals: [|]\n`, expect: ['snapshot', 'packages', 'build[arch=arm64]'], without: ['root.released'] },
  { sort: 'a goal', marked: `${recipe}goals:\n  - |\n`, expect: ['volume', 'ami.image'] },
  { sort: 'an input of a library', marked: include('      |\n'), expect: ['name', 'flavor', 'minimal', 'chroot'] },
  { sort: 'an input of a library', marked: include('      name: web\n      |\n'), expect: ['flavor', 'minimal'], without: ['name'] },
  { sort: 'a value of an input', marked: include('      name: web\n      flavor: |\n'), expect: ['plain', 'full'] },
  { sort: 'a value of an input', marked: include('      name: web\n      minimal: |\n'), expect: ['true', 'false'] },
  { sort: 'an output as a value', marked: include('      name: web\n      chroot: |\n'), expect: ['{{ sys.path }}', '{{ packages.version }}'] },
  {
    sort: 'an output as a value',
    marked: task('    uses: ec2.attachment\n    with:\n      volume: |\n'),
    expect: ['{{ volume.id }}', '{{ inputs.release }}'],
    without: ['{{ inputs.size }}'],
  },
  { sort: 'an output as a value', marked: task('    uses: mount\n    with:\n      device: |\n'), expect: ['{{ disk.device }}', '{{ rootfs.device }}'] },
  { sort: 'an output as a value', marked: task('    uses: chroot\n    with:\n      root: |\n'), expect: ['{{ root.path }}'] },
  {
    sort: 'an output of its type',
    marked: task('    uses: ec2.volume\n    with:\n      size: |\n'),
    expect: ['{{ inputs.size }}', '{{ volume.size }}'],
    without: ['{{ volume.id }}', '{{ inputs.packages }}'],
  },
  {
    sort: 'an output of its type',
    marked: task('    uses: mount\n    with:\n      device: x\n      options: |\n'),
    expect: ['{{ inputs.packages }}', '{{ build.id }}'],
    without: ['{{ volume.id }}'],
  },
  {
    sort: 'an output of a library',
    marked: `${recipe}outputs:\n  image: |\n`,
    expect: ['{{ ami.image_id }}', '{{ ami.image.id }}', '{{ snapshot.id }}'],
    without: ['{{ ami.hidden }}'],
  },
  {
    sort: 'a value of the environment',
    marked: task('    run: "true"\n    env:\n      LABEL: |\n'),
    expect: ['{{ vars.label }}', '{{ packages.version }}', '{{ inputs.release }}'],
  },
];

export const namedHovers: readonly Case[] = [
  { sort: 'what a task does', marked: task('    needs: [vol|ume]\n'), expect: ['`volume`: ec2.volume: A new, empty volume'] },
  { sort: 'what a task does', marked: task('    run: "true"\n    in: ami.s|ys\n'), expect: ['`ami.sys`: chroot: The system of the library'] },
  { sort: 'what a library is', marked: recipe.replace('  ami:', '  am|i:'), expect: ['A library of the tests'] },
  { sort: 'what an input of a library means', marked: include('      na|me: web\n'), expect: ['Name of the image'] },
  { sort: 'what an input of a library means', marked: include('      name: web\n      fla|vor: full\n'), expect: ['What is put on it'] },
];

export const namedFaults: readonly Case[] = [
  { sort: 'an unknown task', marked: task('    needs: [|volum]\n'), expect: ['Value is not accepted. Valid values: "volume"'] },
  { sort: 'an unknown task', marked: `${recipe}goals: [|snapshots]\n`, expect: ['Value is not accepted.'] },
  {
    sort: 'a task that is no chroot',
    marked: task('    run: "true"\n    in: |root\n'),
    expect: ['Value is not accepted. Valid values: "sys", "ami.sys", "inputs.release".'],
  },
  { sort: 'an unknown input of a library', marked: include('      name: web\n      |flavour: full\n'), expect: ['Property flavour is not allowed.'] },
  { sort: 'a missing input of a library', marked: recipe.replace('    with: {name: web}', '    |with: {flavor: full}'), expect: ['Missing property "name".'] },
  { sort: 'a wrong value of an input', marked: include('      name: web\n      minimal: |"often"\n'), expect: ['String does not match the pattern of'] },
];

/** Typos, with what is offered in their place. */
export const fixes: readonly Case[] = [
  { sort: 'a typo in needs', marked: task('    needs: [|volum]\n'), expect: ['volume', 'packages'] },
  { sort: 'a typo in before', marked: task('    run: "true"\n    before: [|snapshots]\n'), expect: ['snapshot'] },
  { sort: 'a typo in in', marked: task('    run: "true"\n    in: |syss\n'), expect: ['sys', 'ami.sys'] },
  { sort: 'a typo in goals', marked: `${recipe}goals: [|image]\n`, expect: ['ami.image'] },
  { sort: 'a typo in uses', marked: task('    uses: |ec2.volum\n'), expect: ['ec2.volume'] },
  { sort: 'a typo in an instance', marked: task('    needs: ["|build[arch=amd46]"]\n').replace('["|', '[|"'), expect: ['build[arch=amd64]'] },
  { sort: 'a typo in a value', marked: recipe.replace('type: integer, default: 8', 'type: |integr, default: 8'), expect: ['integer'] },
];
