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
    means: 'YAML joins the lines of a text after `>` with spaces, so several commands become one. `|` keeps the lines.',
    wrong: 'tasks:\n  packages:\n    run: >\n      apt-get update\n      apt-get install -y nginx',
    right: 'tasks:\n  packages:\n    run: |\n      apt-get update\n      apt-get install -y nginx',
  },
  'foreign-syntax': {
    warning: true,
    means: 'A text contains an expression of Terraform, Jinja, make or another tool. chrootfile does not evaluate it, so it stays as it is written.',
    wrong: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo ${var.name}"}',
    right: 'inputs: {name: {type: string, default: web}}\ntasks:\n  a: {run: "echo {{ inputs.name }}"}',
  },
  'missing-braces': {
    warning: true,
    means: 'A value is the name of a task or of its output, without braces. It is used as a text.',
    wrong: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: volume.id}',
    right: 'tasks:\n  volume: {uses: ec2.volume, with: {size: 8}}\noutputs: {volume_id: "{{ volume.id }}"}',
  },
  'shell-variable': {
    warning: true,
    means:
      'A script uses a variable of the shell that has the name of an input or a variable of the recipe, and nothing sets it. Inputs and variables of a recipe are not in the environment of scripts unless `env` puts them there.',
    wrong: 'vars: {greeting: hello}\ntasks:\n  a: {run: echo "$greeting"}',
    right: 'vars: {greeting: hello}\ntasks:\n  a: {env: {greeting: "{{ vars.greeting }}"}, run: echo "$greeting"}',
  },
  typography: {
    warning: true,
    means: 'A script has typographic quotes or dashes, as word processors and web pages write them. The shell reads them as text.',
    wrong: 'tasks:\n  a: {run: apt-get install –y nginx}',
    right: 'tasks:\n  a: {run: apt-get install -y nginx}',
  },
  'no-image': {
    warning: true,
    means:
      'Tasks change the chroot of a library, but no goal or output needs the image of the library. The run would succeed, but delete the changes together with the volume. Add an output that uses the image; in a recipe with `goals`, add a goal.',
    wrong: 'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}',
    right:
      'includes: {ami: {recipe: library.yml}}\ntasks:\n  packages: {in: ami.chroot, run: apt-get install -y nginx}\noutputs: {image_id: "{{ ami.image_id }}"}',
    files: { 'library.yml': imageLibrary },
  },
} as const satisfies Record<string, CatalogueEntry>;
