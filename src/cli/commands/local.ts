import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { removeFile } from '../../linux/atomic_write.js';
import { hostShell } from '../../linux/command.js';
import { isHeld, lock, ownerOf } from '../../linux/lock.js';
import { deviceOf } from '../../local/loop_devices.js';
import { draftPool, hasPool, openPool, type PoolType, removePool, takePool } from '../../local/pool.js';
import { type Image, type Resources, regionsIn, type Snapshot, type Store, type Volume } from '../../local/store.js';
import { claimState } from '../../runtime/runs/format.js';
import { listRuns } from '../../runtime/runs/run_folder.js';
import { inUse, localEc2, localFolder, makeRoom, openLocalEc2, runCommand, serverLock, whilePoolStays } from '../embedded_ec2.js';
import { ExitError, exits } from '../exit_codes.js';
import { mustHave } from '../requirements.js';
import { isRoot, stateFolder } from '../state.js';
import { print, printError, printJson, table } from '../terminal/output.js';
import { watchSignals } from '../terminal/signals.js';

type Listed = 'images' | 'volumes' | 'snapshots';

/** `chrootfile local images|volumes|snapshots`: what the embedded EC2 holds. */
export async function listLocal(what: Listed, told: string | undefined, json: boolean): Promise<void> {
  const state = stateFolder(told);
  const ec2 = await openLocalEc2(state);
  const all = ec2.regions.flatMap((region) => {
    const store = ec2.storeOf(region);
    return store.list(what).map((resource) => ({ region, row: rowOf(what, resource, store), resource }));
  });
  await ec2.setUnreadableAside();
  all.sort((a, b) => (a.resource.created < b.resource.created ? -1 : 1));
  if (json) return printJson(all.map(({ region, resource }) => ({ region, ...resource })));
  if (all.length === 0) return print(`no ${what}`);
  print(...table([titles[what], ...all.map(({ region, resource, row }) => [resource.id, region, resource.created, ...row])]));
}

const titles: Readonly<Record<Listed, readonly string[]>> = {
  images: ['IMAGE', 'REGION', 'CREATED', 'SNAPSHOT', 'NAME'],
  volumes: ['VOLUME', 'REGION', 'CREATED', 'GIB', 'DEVICE'],
  snapshots: ['SNAPSHOT', 'REGION', 'CREATED', 'GIB', 'DESCRIPTION'],
};

function rowOf(what: Listed, resource: Resources[Listed], store: Store): string[] {
  switch (what) {
    case 'images':
      return [(resource as Image).mappings[0]?.snapshot ?? '', (resource as Image).name];
    case 'volumes':
      return [String((resource as Volume).size), deviceOf(store.diskOf(resource.id)) ?? '-'];
    case 'snapshots':
      return [String((resource as Snapshot).size), (resource as Snapshot).description];
  }
}

/** `chrootfile local export`: writes the disk of an image to a file: raw, or qcow2 by its ending. */
export async function exportImage(image: string, file: string, told: string | undefined): Promise<void> {
  const state = stateFolder(told);
  await openLocalEc2(state);
  const disk = diskOfImage(state, image);
  const target = resolve(file);
  if (existsSync(target)) throw new ExitError(exits.invalid, `${file} exists already`);
  try {
    if (target.endsWith('.qcow2')) await hostShell.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', disk, target]);
    else await hostShell.run(['cp', '--reflink=auto', '--sparse=always', '--', disk, target]);
  } catch (error) {
    removeFile(target);
    throw error;
  }
  print(file);
}

function diskOfImage(state: string, image: string): string {
  for (const region of regionsIn(localFolder(state))) {
    const { store } = localEc2(state, region);
    const found = store.list('images').find((i) => i.id === image || i.name === image);
    const root = found?.mappings.find((mapping) => mapping.device === found.rootDevice);
    if (root !== undefined) return store.diskOf(root.snapshot ?? '');
  }
  throw new ExitError(exits.invalid, `there is no image ${image}\n  help: chrootfile local images`);
}

/** `chrootfile local init`: keeps the embedded EC2 on a file system that shares blocks, in a sparse file. */
export async function initLocal(told: string | undefined, { size, fs }: { readonly size: number; readonly fs: PoolType }): Promise<void> {
  if (!isRoot()) throw new ExitError(exits.host, `init needs root\n  help: sudo chrootfile local init --fs ${fs}`);
  mustHave([{ program: `mkfs.${fs}`, package: poolPackages[fs] }]);
  const state = stateFolder(told);
  const root = localFolder(state);
  const interruption = watchSignals();
  const { signal } = interruption;
  try {
    claimState(state);
    await whilePoolStays(state, async () => {
      await openPool(runCommand, root);
      if (hasPool(root)) throw new ExitError(exits.invalid, `${root} is on a pool already`);
      mustBeIdle(state);
      await draftPool((command, options) => runCommand(command, { ...options, signal }), root, fs, size);
      await takePool(runCommand, root);
    });
  } catch (error) {
    if (error instanceof ExitError || ['LockedError', 'FormatError'].includes((error as Error).name)) throw error;
    throw new ExitError(interruption.exit() ?? exits.host, `the pool cannot be made here: ${(error as Error).message}`);
  } finally {
    interruption.stop();
  }
  print(`${root} is on ${fs} now: volumes and snapshots share their blocks`);
}

const poolPackages: Readonly<Record<PoolType, string>> = { xfs: 'xfsprogs', btrfs: 'btrfs-progs' };

/** @throws ExitError when a run uses the state of the embedded EC2, it is served, or a volume of any region is attached. */
function mustBeIdle(state: string): void {
  const busy = listRuns(state).find((run) => run.busy);
  if (busy !== undefined) throw new ExitError(exits.locked, `run ${busy.id} goes on`);
  if (isHeld(serverLock(state))) throw new ExitError(exits.locked, `it is being served by process ${ownerOf(serverLock(state))?.pid}\n  help: end that first`);
  const attached = regionsIn(localFolder(state)).flatMap((region) => {
    const { store } = localEc2(state, region);
    return store.list('volumes').filter((volume) => deviceOf(store.diskOf(volume.id)) !== undefined);
  });
  if (attached.length > 0) {
    throw new ExitError(exits.invalid, `attached: ${attached.map((volume) => volume.id).join(', ')}\n  help: chrootfile undo --all`);
  }
}

/** `chrootfile local detach`: detaches what a server that has ended left attached for its clients; gives the exit code. */
export async function detachLocal(told: string | undefined): Promise<number> {
  if (!isRoot()) throw new ExitError(exits.host, 'detach needs root\n  help: sudo chrootfile local detach');
  const state = stateFolder(told);
  // A server detaches what its clients ask for, and at its end the rest.
  const release = await lock(serverLock(state), 'local detach');
  try {
    const left = existsSync(localFolder(state)) ? await (await openLocalEc2(state)).detachServed() : [];
    for (const { volume, device } of left) printError(inUse(volume, device));
    return left.length === 0 ? exits.done : exits.left;
  } finally {
    await release();
  }
}

/** `chrootfile local reset`: removes all images, snapshots and volumes of the embedded EC2, and its pool. */
export async function resetLocal(told: string | undefined, yes: boolean): Promise<void> {
  const state = stateFolder(told);
  const root = localFolder(state);
  if (existsSync(state)) await makeRoom(state);
  await whilePoolStays(state, async () => {
    await openPool(runCommand, root);
    mustBeIdle(state);
    const stores = regionsIn(root).map((region) => localEc2(state, region).store);
    const count = (what: Listed) => stores.reduce((sum, store) => sum + store.list(what).length, 0);
    const counts = (['images', 'snapshots', 'volumes'] as const).map((what) => `${count(what)} ${what}`).join(', ');
    if (!yes) throw new ExitError(exits.invalid, `this removes ${counts}\n  help: chrootfile local reset --yes`);
    await removePool(runCommand, root);
    print(`removed ${counts}`);
  });
}
