import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pointsOf } from './shim.js';

/** What a case may leave on the machine, as lines. Mounts and processes are those of the worker's own namespaces. */
export type Host = ReadonlySet<string>;

/** Looks at mounts, processes, memory files, and locks of the host; loop devices and links are found by the volumes of the case. */
export function lookAtHost(): Host {
  return new Set([...mounts(), ...processes(), ...files('/dev/shm'), ...files('/run')]);
}

/** What a case has left on the machine, once what is still going away is gone. */
export async function leftOnHost(before: Host, folder: string): Promise<string[]> {
  const volumes = volumesOf(folder);
  for (let waited = 0; ; waited += 50) {
    const left = [...lookAtHost()].filter((line) => !before.has(line));
    const all = [
      ...left,
      ...loopsOf(volumes, folder).map((loop) => `loop device with ${basename(loop.file)}`),
      ...linksOf(volumes, folder).map((link) => `link ${link}`),
    ];
    if (all.length === 0 || waited >= 10_000) return all;
    await sleep(50);
  }
}

/** Takes away what a case has left on the machine, so that the next one begins with a clean one. */
export async function cleanHost(before: Host, folder: string): Promise<void> {
  for (const pid of pids()) if (!before.has(processLine(pid))) kill(pid);
  for (let attempt = 0; attempt < 5 && ours(before, folder).length > 0; attempt += 1) {
    for (const path of ours(before, folder).reverse()) quietly('umount', path);
    await sleep(20);
  }
  detachAll(folder);
  for (const file of [...files('/dev/shm'), ...files('/run')]) if (!before.has(file)) rmSync(file, { recursive: true, force: true });
}

/** Detaches the loop devices of a case, and removes the links to them. */
export function detachAll(folder: string): void {
  const volumes = volumesOf(folder);
  for (const link of linksOf(volumes, folder)) rmSync(link, { force: true });
  for (const { device } of loopsOf(volumes, folder)) quietly('losetup', '--detach', device);
}

/** Mounts of this namespace that were not there, in the order they were made. */
function ours(before: Host, folder: string): string[] {
  return lines('/proc/self/mountinfo')
    .filter((line) => !before.has(mountLine(line)))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(folder));
}

function mounts(): string[] {
  return pids().flatMap((pid) => lines(`/proc/${pid}/mountinfo`).map(mountLine));
}

function mountLine(line: string): string {
  const [, , , root, path] = line.split(' ');
  return `mount ${path} of ${line.split(' - ')[1]} ${root}`;
}

function processes(): string[] {
  return pids().map(processLine).filter(Boolean);
}

/** A process that is over and not yet waited for, or that has gone, has no line. */
function processLine(pid: string): string {
  const [, state = ''] = /\) (\S)/.exec(lines(`/proc/${pid}/stat`)[0] ?? '') ?? [];
  const command = (lines(`/proc/${pid}/cmdline`)[0] ?? '').replaceAll('\0', ' ').trim();
  return state === 'Z' || command === '' ? '' : `process ${pid} ${command.slice(0, 100)}`;
}

function files(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('chrootfile'))
    .map((name) => join(folder, name));
}

/** The volumes a case has had: the path of a loop device's file is lost with the namespace it was attached in. */
function volumesOf(folder: string): ReadonlySet<string> {
  const texts = [
    pointsOf(folder)
      .map(({ path }) => path)
      .join('\n'),
    ...journals(folder),
  ];
  return new Set(texts.flatMap((text) => text.match(/\bvol-[0-9a-f]{17}\b/g) ?? []));
}

function journals(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'state/runs')).flatMap((run) => lines(join(folder, 'state/runs', run, 'journal.jsonl')).join('\n'));
  } catch {
    return [];
  }
}

function loopsOf(volumes: ReadonlySet<string>, folder: string): { readonly device: string; readonly file: string }[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .flatMap((name) => {
      const [file = ''] = lines(`/sys/block/${name}/loop/backing_file`);
      const plain = file.replace(/ \(deleted\)$/, '');
      return plain.startsWith(`${folder}/`) || volumes.has(basename(plain, '.img')) ? [{ device: `/dev/${name}`, file }] : [];
    });
}

/** Links to devices of the case: named after its volumes, or leading to its loop devices. */
function linksOf(volumes: ReadonlySet<string>, folder: string): string[] {
  const byId = '/dev/disk/by-id';
  const names = new Set([...volumes].map((volume) => `nvme-Amazon_Elastic_Block_Store_${volume.replace('-', '')}`));
  const loops = new Set(loopsOf(volumes, folder).map(({ device }) => basename(device)));
  const aliases = readdirSync('/dev')
    .filter((name) => name.startsWith('xvd'))
    .map((name) => join('/dev', name))
    .filter((path) => loops.has(diskOf(path)) || (isDangling(path) && lstatSync(path).ctimeMs > statSync(folder).birthtimeMs));
  return [...(exists(byId) ? readdirSync(byId) : []).filter((name) => names.has(name)).map((name) => join(byId, name)), ...aliases];
}

/** Whether a link leads to a loop device that has no disk any more. */
function isDangling(path: string): boolean {
  return diskOf(path).startsWith('loop') && !exists(`/sys/block/${diskOf(path)}/loop/backing_file`);
}

/** The disk a link leads to, directly or to a partition of it. */
function diskOf(path: string): string {
  try {
    return basename(readlinkSync(path)).replace(/p\d+$/, '');
  } catch {
    return '';
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It has gone.
  }
}

function quietly(...[program = '', ...args]: string[]): void {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
  } catch {
    // What stays is reported as left.
  }
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
