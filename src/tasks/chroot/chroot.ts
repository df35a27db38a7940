import { existsSync, realpathSync, statSync } from 'node:fs';
import { mountUsual } from '../../linux/chroot_mounts.js';
import { mountsUnder, unmountTree } from '../../linux/mounts.js';
import { claimRoot, unclaimRoot } from '../../linux/root_claim.js';
import { makeInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { idOf, isThere } from '../../linux/stand_in_files.js';
import { placeStandIns, restoreStandIns, type StandInNote, standInsFor } from '../../linux/stand_ins.js';
import { standInsByHand } from '../../linux/stand_ins_by_hand.js';
import { defineKind } from '../../runtime/engine/kind.js';

interface Note extends StandInNote {
  /** How many mounts were at and below the root before the task. */
  readonly before: number;
}

const mountItem = {
  type: 'object',
  description: 'A mount',
  additionalProperties: false,
  required: ['source', 'target'],
  properties: {
    source: { type: 'string', minLength: 1, description: 'What to mount: a path of the host for `bind`, otherwise a device or a name such as `tmpfs`' },
    target: { type: 'string', pattern: '^/', description: 'Mount point, as a path inside the image' },
    type: { type: 'string', minLength: 1, default: 'bind', description: 'Type of the file system, or `bind`' },
    options: { type: 'array', default: [], description: 'Mount options, e.g. `ro`', items: { type: 'string' } },
  },
} as const;

export const chroot = defineKind({
  name: 'chroot',
  summary: 'Prepares a folder for commands that run in it; restores the folder at the end',
  docs: "The image gets a /dev of its own (it never sees the host's), a read-only /sys and an empty /run. Each task in the chroot has its own /proc, sees only its own processes, and has the image's hostname (`localhost` if it has none). It cannot change settings of the build host's kernel unless `privileged` is true. While the chroot exists, the files in `copy_files` replace the image's own files, which are restored at the end. They are copied again before each task. If a task writes to one of them, the change is dropped with a warning. If a task removes one, or replaces it with another file, link or folder, the image keeps that change, also with a warning. If the image has a link into /run at such a path, the file is placed at the link's target. Packages start no services unless `services` is true: a `/usr/sbin/policy-rc.d` that forbids it is placed in the same way. A root can have only one chroot with such files at a time.",
  lifetime: 'resource',
  undoes: "unmount everything below the root and restore the image's own files",
  in: 'none',
  tools: { unshare: 'util-linux', setpriv: 'util-linux', mount: 'mount', blkid: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['root'],
    properties: {
      root: { type: 'string', pattern: '^/', description: 'The folder, e.g. the mount point of the root file system' },
      mounts: { type: 'array', description: 'Mounts that replace the default ones; `[]` for none', items: mountItem },
      add_mounts: { type: 'array', default: [], description: 'Mounts in addition to the default ones', items: mountItem },
      copy_files: {
        type: 'array',
        default: ['/etc/resolv.conf'],
        description: 'Files of the host that replace those at the same path in the image during the build',
        items: { type: 'string', pattern: '^/' },
      },
      services: { type: 'boolean', default: false, description: 'Whether packages may start services' },
      privileged: {
        type: 'boolean',
        default: false,
        description: "Whether scripts may change the build host's kernel: settings in /proc/sys, modules, the clock, the network",
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
    const claim = { root, id: idOf(root), by: `${context.run} ${context.task}` };
    const replaced = standInsFor(root, copy_files, services);
    if (replaced.length > 0) await claimRoot(claim);
    const note: Note = { ...claim, before: mountsUnder(root).length, replaced };
    const handle = context.note(note);
    placeStandIns(note, (placed) => handle.update({ ...note, replaced: placed } satisfies Note));
    const { shell, signal } = context;
    if (mounts === undefined) {
      const [dev, sys, run] = ['/dev', '/sys', '/run'].map((folder) => makeInside(root, folder)) as [string, string, string];
      await mountUsual(root, { dev, sys, run }, `${context.mountPoint}.fstab`, shell, signal);
    }
    const commands = [...(mounts ?? []), ...add_mounts].map((mount) => mountCommand(root, mount));
    if (commands.length > 0) await shell.run(['/bin/sh', '-ec', commands.join('\n')], { signal });
    return { path: root, privileged };
  },
  undo: async (note: Note, { shell, mountsGone, diskGoes, isRelease, warn }) => {
    const { root, id, before, replaced } = note;
    const isMounted = mountsUnder(root).length > 0;
    if (!mountsGone) await unmountTree(root, shell, before);
    try {
      // The image is gone, or was deleted with its volume, and so are its files.
      if (!existsSync(root) || (!isThere(root, id) && (mountsGone || diskGoes))) return;
      if (!isThere(root, id) && !isMounted && !isRelease) {
        // For example after a power cut, if somebody else mounted the image. A later attempt would not find it either.
        for (const { file } of replaced) warn(`${root} is another folder now: ${file} could not be restored in the image`);
        return;
      }
      await restoreStandIns(note, diskGoes ? () => {} : warn);
    } catch (error) {
      // Undo deletes the disk, and its content with it.
      if (!diskGoes) throw error;
    } finally {
      await unclaimRoot(note);
    }
  },
  byHand: (note: Note, at) => {
    const paths = at.mountsGone ? [] : mountsUnder(note.root).map(({ path }) => path);
    const own = paths.slice(0, Math.max(0, paths.length - note.before));
    return [...(own.length > 0 ? [`umount -- ${own.map(shellWord).join(' ')}`] : []), ...standInsByHand(note, at.mounts)];
  },
});

function mountCommand(
  root: string,
  mount: { readonly source: string; readonly target: string; readonly type: string; readonly options: readonly string[] },
): string {
  // What is mounted below a bind mount must not appear in its source, nor in another image bound to the same source.
  const how = mount.type === 'bind' ? ['--bind', '--make-slave', '--make-shared'] : ['-t', mount.type];
  const options = mount.options.length > 0 ? ['-o', mount.options.join(',')] : [];
  return ['mount', ...how, ...options, '--', mount.source, makeInside(root, mount.target)].map(shellWord).join(' ');
}
