import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultFile } from '../default_recipe.js';
import { ExitError, exits } from '../exit_codes.js';
import { print } from '../terminal/output.js';
import type { Verb } from '../verbs.js';
import { editorLine, writeFor, writeGeneral } from './schema.js';

/** Declares `chrootfile init`. */
export const verb: Verb = (program) => {
  program
    .command('init')
    .description('create a starter recipe and editor settings')
    .argument('[folder]', 'folder to create it in', '.')
    .addHelpText('after', '\nExamples:\n  chrootfile init my-image')
    .action(init);
};

/** A recipe that runs as it is, in a few seconds, on the embedded EC2. */
const starter = `version: 1
name: hello
description: An image with one file on it

inputs:
  size: {type: integer, default: 1, minimum: 1, description: Size of the volume in GiB}

tasks:
  volume:
    description: A new, empty volume
    uses: ec2.volume
    with: {size: "{{ inputs.size }}"}
  disk:
    description: The volume, attached to this machine
    uses: ec2.attachment
    with: {volume: "{{ volume.id }}"}
  rootfs:
    description: A file system on it
    uses: disk.filesystem
    with: {device: "{{ disk.device }}", type: ext4}
  root:
    description: The file system, mounted
    uses: mount
    with: {device: "{{ rootfs.device }}"}

  greeting:
    description: A file on it
    run: echo hello > {{ quote root.path }}/hello.txt

  snapshot:
    description: A snapshot of the volume, taken when no other task uses it
    uses: ec2.snapshot
    with: {volume: "{{ volume.id }}"}
  image:
    description: The image
    uses: ec2.image
    with: {name: "hello-{{ run.id }}", snapshot: "{{ snapshot.id }}"}

outputs: {image_id: "{{ image.id }}"}
`;

/** Settings of VS Code: the schema for recipes without an editor line of their own, and the extension that reads it. */
const settings = { 'yaml.schemas': { './.chrootfile/recipe.schema.json': ['chrootfile.yml', '*.chrootfile.yml', 'recipes/**/*.yml'] } };
const extensions = { recommendations: ['redhat.vscode-yaml'] };

/** `chrootfile init`: creates a starter recipe and editor settings in a folder; existing files are kept. */
function init(folder: string): void {
  const recipe = join(folder, defaultFile);
  if (existsSync(recipe))
    throw new ExitError(exits.invalid, `${recipe} already exists\n  help: to write its schema for editors: chrootfile schema --write ${recipe}`);
  write(recipe, `${editorLine(recipe)}\n${starter}`);
  print(`created ${recipe}`, `created ${writeFor(recipe).written}`, `created ${writeGeneral(folder)}`);
  for (const [name, value] of Object.entries({ 'settings.json': settings, 'extensions.json': extensions })) {
    const path = join(folder, '.vscode', name);
    if (existsSync(path)) print(`kept ${path}; consider adding: ${JSON.stringify(value)}`);
    else {
      write(path, `${JSON.stringify(value, undefined, 2)}\n`);
      print(`created ${path}`);
    }
  }
  const where = folder === '.' ? '' : `cd ${folder} && `;
  print('', `Next: ${where}chrootfile plan`, `      ${where}sudo chrootfile run`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
