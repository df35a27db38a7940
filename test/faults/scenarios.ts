import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from '../support/ec2.js';
import { layerScenarios } from './layers.js';
import { type Ended, lastEvent, type Place } from './place.js';
import { serve } from './serve.js';

/** A use of the program that faults are tried in. */
export interface Scenario {
  readonly name: string;
  /** What it is, for the page of results. */
  readonly summary: string;
  /** Makes the state that every case starts from. */
  prepare(place: Place): Promise<void>;
  /** Brings a case to where the faults begin; gives the arguments of the program. */
  begin(place: Place): Promise<readonly string[]>;
  /** Runs it, where that is more than to start the program. */
  drive?(place: Place, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Driven>;
  /** Goes on once everything is undone; gives what is wrong. */
  finish?(place: Place): Promise<string[]>;
  /** Whether what was there before is deleted by it. */
  readonly deletes?: boolean;
  /** Whether it is a run, which makes an image and reports so. */
  readonly makes?: boolean;
  /** Text of the file `marker` on its disks. */
  readonly marker?: string;
}

/** How the program ended, with what is wrong besides. */
export interface Driven extends Ended {
  readonly wrong?: readonly string[];
}

const marker = 'written by the recipe';

/** Volume, attachment, file system, mount and script, up to `work`. */
const disk = (script: string) => `  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  work:
    run: |
      ${script.replaceAll('\n', '\n      ')}
`;

const snapshotAndImage = (name: string) => `  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "${name}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}", snapshot_id: "{{ snapshot.id }}"}
`;

/** A recipe from an empty volume to an image. */
export function tinyRecipe(script = 'true', name = 'tiny-{{ run.id }}'): string {
  return `version: 1\nname: tiny\ntasks:\n${disk(`echo ${marker} > "{{ root.path }}/marker"\n${script}`)}${snapshotAndImage(name)}`;
}

/** Puts into the mounted file system what a chroot needs. */
const busyboxRoot = `cd "{{ root.path }}"
mkdir -p bin dev proc sys run tmp etc usr/sbin
cp /bin/busybox bin/busybox
chroot . /bin/busybox --install -s /bin
echo root:x:0:0:root:/root:/bin/sh > etc/passwd`;

const runRecipe = ['run', 'recipe.yml', '--format', 'json'] as const;

const tiny: Scenario = {
  name: 'tiny',
  makes: true,
  summary: 'a run from an empty volume to an image',
  marker,
  prepare: async (place) => place.write('recipe.yml', tinyRecipe()),
  begin: async () => runRecipe,
};

const host: Scenario = {
  ...tiny,
  name: 'host',
  summary: 'the same with `--no-sandbox`: what a killed run has mounted stays mounted until `undo --all`',
  begin: async () => [...runRecipe, '--no-sandbox'],
};

const image: Scenario = {
  name: 'image',
  makes: true,
  summary: 'a run from an image to an image, by way of a chroot',
  marker,
  prepare: async (place) => {
    place.write('base.yml', tinyRecipe(busyboxRoot, 'base'));
    await place.must(['run', 'base.yml']);
    const include = `{recipe: ${join(place.libraries, 'image_from_image.yml')}, with: {source_filters: {name: base}, name: "next-{{ run.id }}", partition: 0}}`;
    place.write(
      'recipe.yml',
      `version: 1\nname: image\nincludes:\n  ami: ${include}\ntasks:\n  work: {in: ami.chroot, run: echo more > /more}\noutputs: {image_id: "{{ ami.image_id }}"}\n`,
    );
  },
  begin: async () => runRecipe,
};

const regions: Scenario = {
  name: 'regions',
  makes: true,
  summary: 'a run from an image to images in three regions, shared with another account',
  marker,
  prepare: async (place) => {
    place.write('base.yml', tinyRecipe('true', 'base'));
    await place.must(['run', 'base.yml']);
    place.write('recipe.yml', `version: 1\nname: regions\n${pipeline()}`);
  },
  begin: async () => runRecipe,
};

const undo: Scenario = {
  name: 'undo',
  summary: '`undo --all` after a run that was killed at work',
  prepare: async (place) => place.write('recipe.yml', tinyRecipe('echo ready\nsleep 60')),
  begin: async (place) => {
    const going = place.start(['run', 'recipe.yml', '--format', 'plain']);
    if (!(await going.saw('work | ready'))) throw new Error('the run did not get to work');
    going.child.kill('SIGKILL');
    await going.ended;
    return ['undo', '--all'];
  },
};

const resume: Scenario = {
  name: 'resume',
  makes: true,
  summary: '`run --resume` of a run that was kept after a failure',
  marker,
  prepare: async () => {},
  begin: async (place) => {
    place.write('recipe.yml', tinyRecipe(`test -e "${place.folder}/go"`));
    const failed = await place.run([...runRecipe, '--on-failure', 'keep']);
    const { run } = lastEvent(failed);
    if (run === undefined) throw new Error('the run was not kept');
    writeFileSync(join(place.folder, 'go'), '');
    return ['run', '--resume', run, '--format', 'json'];
  },
};

const destroy: Scenario = {
  name: 'destroy',
  summary: '`destroy` of a succeeded run',
  marker,
  deletes: true,
  prepare: async (place) => {
    place.write('recipe.yml', tinyRecipe());
    place.write('run', lastEvent(await place.must(runRecipe)).run ?? '');
  },
  begin: async (place) => ['destroy', place.read('run'), '--yes'],
  finish: async (place) => {
    const { code, stderr } = await place.run(['destroy', place.read('run'), '--yes']);
    // It may be destroyed already.
    return code === 0 || (code === 2 && /destroyed/.test(stderr)) ? [] : [`destroy once more: exit code ${code}: ${stderr.trim().split('\n')[0]}`];
  },
};

/** All uses of the program that faults are tried in, by name. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [tiny, host, image, regions, undo, resume, destroy, ...layerScenarios, serve].map((one) => [one.name, one]),
);

/** A scenario that must exist. */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.get(name);
  if (found === undefined) throw new Error(`internal error: no scenario "${name}"`);
  return found;
}
