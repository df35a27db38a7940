import type { CatalogueEntry } from './catalogue_entry.js';

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

/** Everything that is allowed but probably a mistake, by the code at the end of the message. */
export const warnings = {
  'folded-script': {
    warning: true,
    means: 'YAML joins the lines of a block after `>` with spaces, so several commands become one. A block after `|` keeps its lines.',
    wrong: 'tasks:\n  packages:\n    run: >\n      apt-get update\n      apt-get install -y nginx',
    right: 'tasks:\n  packages:\n    run: |\n      apt-get update\n      apt-get install -y nginx',
  },
  'foreign-syntax': {
    warning: true,
    means: 'A string contains an expression of Terraform, Jinja, make or another tool. chrootfile does not evaluate it, so it stays as it is written.',
    wrong: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo ${var.name}"}',
    right: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo {{ inputs.name }}"}',
  },
  'missing-braces': {
    warning: true,
    means: 'A value is the name of a task or of its output without braces, so it is a plain string.',
    wrong: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: volume.id}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: "{{ volume.id }}"}',
  },
  'shell-variable': {
    warning: true,
    means:
      'A script uses a shell variable that nothing sets, with the name of an input or variable of the recipe. Scripts see inputs and variables of the recipe only if `env` passes them.',
    wrong: 'vars: {greeting: hello}\ntasks:\n  a: {run: echo "$greeting"}',
    right: 'vars: {greeting: hello}\ntasks:\n  a: {env: {greeting: "{{ vars.greeting }}"}, run: echo "$greeting"}',
  },
  typography: {
    warning: true,
    means: 'A script contains typographic quotes or dashes, which word processors and web pages insert. The shell does not read them as quotes or dashes.',
    wrong: 'tasks:\n  a: {run: apt-get install –y nginx}',
    right: 'tasks:\n  a: {run: apt-get install -y nginx}',
  },
  'no-image': {
    warning: true,
    means:
      'Tasks change the chroot of a library, but no goal or output needs the image of the library. The run would succeed, but delete the changes with the volume. Add an output that uses the image; in a recipe with `goals`, add a goal.',
    wrong: 'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}',
    right:
      'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}\noutputs: {image_id: "{{ ami.image_id }}"}',
    files: { 'library.yml': imageLibrary },
  },
} as const satisfies Record<string, CatalogueEntry>;
