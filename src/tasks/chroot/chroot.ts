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
  /** How many mounts were at the root and below it before. */
  readonly before: number;
}

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
  docs: "Gives the image its own /dev (the host's is never seen in it), /sys read-only and an empty /run; each task that runs in it has its own /proc, sees only its own processes, has the image's hostname (`localhost` where it has none), and cannot change the build host's kernel unless `privileged` is true. The files in `copy_files` stand in for the image's own, which come back at the end. They stand in anew before each task: what a task writes into one is dropped, with a warning. Where a task puts another file, a link or a folder in the place of one, or removes it, the image keeps that, with a warning; meanwhile a link into /run gets the content behind it. Services do not start unless `services` is true: `/usr/sbin/policy-rc.d` is such a file. One root has one chroot with such files at a time.",
  lifetime: 'resource',
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
    const asked = [...(mounts ?? []), ...add_mounts].map((mount) => mountCommand(root, mount));
    if (asked.length > 0) await shell.run(['/bin/sh', '-ec', asked.join('\n')], { signal });
    return { path: root, privileged };
  },
  undo: async (note: Note, { shell, mountsGone, diskGoes, isRelease, warn }) => {
    const { root, id, before, replaced } = note;
    const isMounted = mountsUnder(root).length > 0;
    if (!mountsGone) await unmountTree(root, shell, before);
    try {
      // The image is no more, or went with its volume, and its files with it.
      if (!existsSync(root) || (!isThere(root, id) && (mountsGone || diskGoes))) return;
      if (!isThere(root, id) && !isMounted && !isRelease) {
        // As after a power cut, where the image was mounted there by somebody else: no later try would find it either.
        for (const { file } of replaced) warn(`another folder is at ${root} now: ${file} could not be put back in the image`);
        return;
      }
      await restoreStandIns(note, diskGoes ? () => {} : warn);
    } catch (error) {
      // What is on the disk goes with it.
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
  // What is mounted below a bind mount must not show up where it comes from, nor in another image bound to that.
  const how = mount.type === 'bind' ? ['--bind', '--make-slave', '--make-shared'] : ['-t', mount.type];
  const options = mount.options.length > 0 ? ['-o', mount.options.join(',')] : [];
  return ['mount', ...how, ...options, '--', mount.source, makeInside(root, mount.target)].map(shellWord).join(' ');
}
