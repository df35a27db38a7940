import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastEvent, type Place, tail } from './place.js';
import type { Driven, Scenario } from './scenarios.js';

/** What the recipe writes. */
const marker = 'written by the recipe';

/** A recipe that writes the marker word by word: a word is missing, or is there twice, if a wrong layer is used. */
export const layersRecipe = (last = 'recipe') => `version: 1
name: layers
cache: true
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  jail: {uses: chroot, needs: [first], with: {root: "{{ root.path }}"}}
  first: {cache: {layer: true}, run: "cd {{ root.path }} && mkdir etc dev proc sys run tmp && echo own > etc/resolv.conf && printf written > marker"}
  second: {cache: {layer: true}, run: "printf ' by the' >> {{ jail.path }}/marker"}
  third: {needs: [second], cache: {layer: true}, run: "printf ' ${last}' >> {{ jail.path }}/marker"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}", snapshot_id: "{{ snapshot.id }}"}
`;

const run = ['run', 'recipe.yml', '--format', 'json'] as const;

/** Makes an image with the layers that there are; gives what is wrong with it. */
export async function faultsOfNext(place: Place, { keeps }: { readonly keeps: boolean }): Promise<string[]> {
  const ended = await place.run(run);
  if (ended.code !== 0) return [`the next run: exit code ${ended.code ?? ended.signal}: ${tail(ended).replaceAll('\n', ' | ')}`];
  const { run: id = '', outputs } = lastEvent(ended) as { run?: string; outputs?: { snapshot_id?: string } };
  const disk = join(place.state, 'local/local-1/disks', `${outputs?.snapshot_id}.img`);
  const wrong = [...faultsOfFiles(disk), ...faultsOfCheck(disk)].map((line) => `image of the next run: ${line}`);
  // Where the run itself makes no image, that of the next one is not expected either.
  if (!keeps) await place.must(['destroy', id, '--yes']);
  return wrong;
}

function faultsOfFiles(disk: string): string[] {
  const cat = (file: string) => spawnSync('debugfs', ['-R', `cat ${file}`, disk], { encoding: 'utf8' }).stdout.trim();
  const names = spawnSync('debugfs', ['-R', 'ls -p /etc', disk], { encoding: 'utf8' }).stdout;
  return [
    ...(cat('/marker') === marker ? [] : [`marker "${cat('/marker')}" instead of "${marker}"`]),
    ...(cat('/etc/resolv.conf') === 'own' ? [] : [`/etc/resolv.conf "${cat('/etc/resolv.conf')}" instead of "own"`]),
    ...(names.includes('chrootfile') ? [`stand-ins in /etc: ${names}`] : []),
  ];
}

function faultsOfCheck(disk: string): string[] {
  const check = spawnSync('e2fsck', ['-fn', disk], { encoding: 'utf8' });
  return check.status === 0 ? [] : [`e2fsck: ${(check.stdout + check.stderr).split('\n').filter(Boolean).at(-1)}`];
}

/** A run that makes layers and nothing else. */
const layers: Scenario = {
  name: 'layers',
  summary: 'a run that makes layers; from them, the next run makes an image',
  prepare: async (place) => place.write('recipe.yml', layersRecipe()),
  begin: async () => [...run.slice(0, 2), 'third', ...run.slice(2)],
  drive: async (place, args, env) => {
    const ended = await place.run(args, env);
    return { ...ended, wrong: faultsOfFullDisk(place, ended, env) };
  },
  finish: async (place) => [...faultsOfLayers(place), ...(await faultsOfNext(place, { keeps: false }))],
};

/** While a layer is made, a full disk fails nothing: the run makes the layer again, or prints a warning. */
function faultsOfFullDisk(place: Place, ended: Driven, env: Readonly<Record<string, string>>): string[] {
  const { CHROOTFILE_FAULT: fault, CHROOTFILE_FAULT_AT: at } = env;
  const call = at === undefined ? '' : (new RegExp(`^${at} .*$`, 'm').exec(place.read('trace'))?.[0] ?? '');
  if (fault !== 'ENOSPC' || !/\/(snapshots|disks\/snap|layers\/[0-9a-f]+\.json)/.test(call)) return [];
  const isMade = ['first', 'second', 'third'].every((task) => new RegExp(`"task":"${task}","outcome":"succeeded".*"layer":`).test(ended.stdout));
  const isWarned = /"type":"warning".*no layer after/.test(ended.stdout);
  return ended.code === 0 && (isMade || isWarned) ? [] : [`a layer that cannot be made: exit code ${ended.code}, without a warning: ${tail(ended)}`];
}

/** A run that goes on from a layer of an older recipe, and makes an image. */
const restore: Scenario = {
  name: 'restore',
  makes: true,
  summary: 'a run from a layer to an image, after the last task was edited',
  marker,
  prepare: async (place) => {
    place.write('recipe.yml', layersRecipe('older recipe'));
    await place.must([...run.slice(0, 2), 'third', ...run.slice(2)]);
    place.write('recipe.yml', layersRecipe());
  },
  begin: async () => run,
  finish: async (place) => [...faultsOfLayers(place), ...(await faultsOfNext(place, { keeps: true }))],
};

export const layerScenarios: readonly Scenario[] = [layers, restore];

/** Whether a snapshot is a layer, by its record in the embedded EC2. */
export function isLayer(record: string): boolean {
  return record.includes('"chrootfile:layer"');
}

/** Whether every snapshot of a layer has a record, and a clean file system. A record without its snapshots does no harm. */
export function faultsOfLayers({ state }: Place): string[] {
  const textsIn = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.endsWith('.json'))
          .map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const)
      : [];
  const records = textsIn(join(state, 'layers')).map(([, text]) => text);
  return textsIn(join(state, 'local/local-1/snapshots'))
    .filter(([, text]) => isLayer(text))
    .flatMap(([name]) => {
      const id = name.replace('.json', '');
      const known = records.some((text) => text.includes(id)) ? [] : ['a layer without a record'];
      return [...known, ...faultsOfCheck(join(state, 'local/local-1/disks', `${id}.img`)).map((line) => `layer: ${line}`)];
    });
}
