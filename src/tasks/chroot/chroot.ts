import { existsSync, lstatSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeFile } from '../../linux/atomic_write.js';
import { mountUsual, quoted } from '../../runtime/chroot_dev.js';
import { insideRoot, makeInside } from '../../runtime/inside.js';
import { defineKind } from '../../runtime/kind.js';
import { mountsUnder, unmountTree } from '../../runtime/mounts.js';

interface Note {
  readonly root: string;
  readonly id: FolderId;
  /** How many mounts were at the root and below it before. */
  readonly before: number;
  /** The image's files that others stand in for, by their paths inside it, and the folder each was in. */
  readonly replaced: readonly { readonly file: string; readonly had: boolean; readonly folder: FolderId }[];
}

/** Which folder it is: at undo another one may be at the same path, or a link to one of the host. */
interface FolderId {
  readonly device: number;
  readonly inode: number;
}

const policyRc = '#!/bin/sh\n# Services do not start while an image is built.\nexit 101\n';

const mountItem = {
  type: 'object',
  description: 'A mount',
  additionalProperties: false,
  required: ['source', 'target'],
  properties: {
    source: { type: 'string', minLength: 1, description: 'What to mount: a path of the host for `bind`, else a device or a word' },
    target: { type: 'string', pattern: '^/', description: 'Where, inside the image' },
    type: { type: 'string', minLength: 1, default: 'bind', description: 'Type of the file system, or `bind`' },
    options: { type: 'array', default: [], description: 'Options of mount, e.g. `ro`', items: { type: 'string' } },
  },
} as const;

export const chroot = defineKind({
  name: 'chroot',
  summary: 'Makes a folder ready to run commands in; takes all of that back at the end',
  docs: "Gives the image its own /dev (the host's is never seen in it), /sys read-only and an empty /run; each task that runs in it has its own /proc, sees only its own processes, has the image's hostname (`localhost` where it has none), and cannot change the build host's kernel unless `privileged` is true. The files in `copy_files` stand in for the image's own, which come back at the end. Services do not start unless `services` is true.",
  lifetime: 'hold',
  takesBack: "unmount what is below the root, put the image's own files back",
  in: 'none',
  tools: { unshare: 'util-linux', setpriv: 'util-linux', mount: 'mount', blkid: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['root'],
    properties: {
      root: { type: 'string', pattern: '^/', description: 'The folder, e.g. where the root file system is mounted' },
      mounts: { type: 'array', description: 'Mounts instead of the usual ones; `[]` for none', items: mountItem },
      add_mounts: { type: 'array', default: [], description: 'Mounts besides the usual ones', items: mountItem },
      copy_files: {
        type: 'array',
        default: ['/etc/resolv.conf'],
        description: 'Files of the host that the image sees at the same path while it is built',
        items: { type: 'string', pattern: '^/' },
      },
      services: { type: 'boolean', default: false, description: 'Whether packages may start services' },
      privileged: {
        type: 'boolean',
        default: false,
        description: "Whether scripts may change the build host's kernel: settings in /proc/sys, modules, clock, network",
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['path', 'privileged'],
    properties: {
      path: { type: 'string', description: 'The folder' },
      privileged: { type: 'boolean', description: "Whether scripts may change the build host's kernel" },
    },
  },
  example: { root: '{{ root.path }}' },
  run: async ({ root: given, mounts, add_mounts, copy_files, services, privileged }, context) => {
    if (!statSync(given, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${given} is not a folder`);
    const root = realpathSync(given);
    const standIns = [...copy_files.map((file) => standInFor(root, file)), ...(services ? [] : policyFor(root))];
    const replaced = standIns.map(({ file, had, folder }) => ({ file, had, folder: idOf(folder) }));
    context.note({ root, id: idOf(root), before: mountsUnder(root).length, replaced } satisfies Note);
    for (const standIn of standIns) replace(standIn);
    const { shell, signal } = context;
    if (mounts === undefined) {
      const [dev, sys, run] = ['/dev', '/sys', '/run'].map((folder) => makeInside(root, folder)) as [string, string, string];
      await mountUsual(root, { dev, sys, run }, `${context.mountPoint}.fstab`, shell, signal);
    }
    const asked = [...(mounts ?? []), ...add_mounts].map((mount) => mountCommand(root, mount));
    if (asked.length > 0) await shell.run(['/bin/sh', '-ec', asked.join('\n')], { signal });
    return { path: root, privileged };
  },
  undo: async ({ root, id, before, replaced }: Note, { shell, mountsGone }) => {
    if (!mountsGone) await unmountTree(root, shell, before);
    // Another root at the path: the image went with its volume, and its files with it.
    if (!existsSync(root) || !isSame(idOf(root), id)) return;
    for (const { file, had, folder } of [...replaced].reverse()) restore(root, file, had, folder);
  },
  byHand: ({ root, replaced }: Note) => [
    `umount -R ${root}/dev ${root}/sys ${root}/run`,
    ...replaced.map(({ file, had }) => (had ? `mv ${root}${dirname(file)}/${keptName(file)} ${root}${file}` : `rm -f ${root}${file}`)),
  ],
});

interface StandIn {
  /** Its path inside the image. */
  readonly file: string;
  /** The host's path of the folder it is in. */
  readonly folder: string;
  /** Whether the image has one of its own. */
  readonly had: boolean;
  readonly content: Buffer | string;
  readonly mode: number;
}

/** A file of the host in an image: beside whatever the image has there, a link too, never through it. */
function standInFor(root: string, file: string): StandIn {
  if (!existsSync(file)) throw new Error(`copy_files: this host has no ${file}`);
  const folder = insideRoot(root, dirname(file));
  if (!existsSync(folder)) throw new Error(`copy_files: the image has no folder ${dirname(file)}`);
  return { file, folder, had: hasOwn(folder, file), content: readFileSync(file), mode: statSync(file).mode & 0o777 };
}

function policyFor(root: string): StandIn[] {
  const file = '/usr/sbin/policy-rc.d';
  let folder: string;
  try {
    folder = insideRoot(root, dirname(file));
  } catch {
    return [];
  }
  return existsSync(folder) ? [{ file, folder, had: hasOwn(folder, file), content: policyRc, mode: 0o755 }] : [];
}

/** What the image's own file is called meanwhile. */
function keptName(file: string): string {
  return `.${basename(file)}.chrootfile-kept`;
}

function hasOwn(folder: string, file: string): boolean {
  return [basename(file), keptName(file)].some((name) => lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined);
}

function replace({ file, folder, had, content, mode }: StandIn): void {
  const [path, kept] = [join(folder, basename(file)), join(folder, keptName(file))];
  // Where a crash left the image's own file aside, it is that one that must come back.
  if (had && lstatSync(kept, { throwIfNoEntry: false }) === undefined) renameSync(path, kept);
  removeFile(path);
  writeFileSync(path, content, { flag: 'wx', mode });
}

/**
 * Puts the image's own file back.
 * @throws Error when its folder is no longer the one it was: a link in its place may lead anywhere.
 */
function restore(root: string, file: string, had: boolean, id: FolderId): void {
  const folder = insideRoot(root, dirname(file));
  if (!existsSync(folder) || !isSame(idOf(folder), id)) throw new Error(`${dirname(file)} of the image is not the folder it was: ${file} cannot be put back`);
  const [path, kept] = [join(folder, basename(file)), join(folder, keptName(file))];
  if (!had) removeFile(path);
  else if (lstatSync(kept, { throwIfNoEntry: false }) !== undefined) renameSync(kept, path);
}

function isSame(a: FolderId, b: FolderId): boolean {
  return a.device === b.device && a.inode === b.inode;
}

function idOf(folder: string): FolderId {
  const { dev: device, ino: inode } = statSync(folder);
  return { device, inode };
}

function mountCommand(
  root: string,
  mount: { readonly source: string; readonly target: string; readonly type: string; readonly options: readonly string[] },
): string {
  // What is mounted below a bind mount must not show up where it comes from, nor in another image bound to that.
  const how = mount.type === 'bind' ? ['--bind', '--make-slave', '--make-shared'] : ['-t', mount.type];
  const options = mount.options.length > 0 ? ['-o', mount.options.join(',')] : [];
  return ['mount', ...how, ...options, '--', mount.source, makeInside(root, mount.target)].map(quoted).join(' ');
}
