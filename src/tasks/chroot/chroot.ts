import { existsSync, lstatSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ownDevCommands, quoted } from '../../runtime/chroot_dev.js';
import { insideRoot, makeInside } from '../../runtime/inside.js';
import { defineKind } from '../../runtime/kind.js';
import { mountsUnder } from '../../runtime/mounts.js';
import type { Shell } from '../../runtime/shell.js';

interface Note {
  readonly root: string;
  /** The file system the root is on: after a crash another one may be at its path. */
  readonly device: number;
  /** Files of the image that others stand in for, with where the image's own were put; null where it had none. */
  readonly replaced: readonly { readonly path: string; readonly kept: string | null }[];
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
  docs: "Gives the image its own /dev (the host's is never seen in it), /sys read-only and an empty /run; each task that runs in it gets its own /proc and sees only its own processes. The files in `copy_files` stand in for the image's own, which come back at the end. Services do not start unless `services` is true.",
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
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path: { type: 'string', description: 'The folder' } },
  },
  example: { root: '{{ root.path }}' },
  run: async ({ root, mounts, add_mounts, copy_files, services }, context) => {
    const folder = statSync(root, { throwIfNoEntry: false });
    if (!folder?.isDirectory()) throw new Error(`${root} is not a folder`);
    const standIns = [...copy_files.map((path) => standInFor(root, path)), ...(services ? [] : policyFor(root))];
    context.note({ root, device: folder.dev, replaced: standIns.map(({ path, kept }) => ({ path, kept })) } satisfies Note);
    for (const standIn of standIns) replace(standIn);
    const usual = mounts === undefined ? await usualMounts(root, context.shell) : [];
    const asked = [...(mounts ?? []), ...add_mounts].map((mount) => mountCommand(root, mount));
    const script = [...usual, ...asked].join('\n');
    if (script !== '') await context.shell.run(['/bin/sh', '-ec', script], { signal: context.signal });
    return { path: root };
  },
  undo: async ({ root, device, replaced }: Note, { shell }) => {
    // The root itself is somebody else's; only what is below it was mounted here.
    const below = mountsUnder(root).filter((mount) => mount.path !== root);
    if (below.length > 0) await shell.run(['umount', '--', ...below.map((mount) => mount.path)]);
    if (statSync(root, { throwIfNoEntry: false })?.dev !== device) return;
    for (const { path, kept } of [...replaced].reverse()) {
      if (kept === null) rmSync(path, { force: true });
      else if (lstatSync(kept, { throwIfNoEntry: false }) !== undefined) renameSync(kept, path);
    }
  },
  byHand: ({ root, replaced }: Note) => [
    `umount -R ${root}/dev ${root}/sys ${root}/run`,
    ...replaced.map(({ path, kept }) => (kept === null ? `rm -f ${path}` : `mv ${kept} ${path}`)),
  ],
});

interface StandIn {
  readonly path: string;
  /** Where the image's own is put meanwhile; null where it has none. */
  readonly kept: string | null;
  readonly content: Buffer | string;
  readonly mode: number;
}

/** A file of the host in an image: beside whatever the image has there, a link too, never through it. */
function standInFor(root: string, file: string): StandIn {
  if (!existsSync(file)) throw new Error(`copy_files: this host has no ${file}`);
  const folder = insideRoot(root, dirname(file));
  if (!existsSync(folder)) throw new Error(`copy_files: the image has no folder ${dirname(file)}`);
  return standInAt(join(folder, basename(file)), readFileSync(file), statSync(file).mode & 0o777);
}

function policyFor(root: string): StandIn[] {
  let folder: string;
  try {
    folder = insideRoot(root, '/usr/sbin');
  } catch {
    return [];
  }
  return existsSync(folder) ? [standInAt(join(folder, 'policy-rc.d'), policyRc, 0o755)] : [];
}

function standInAt(path: string, content: Buffer | string, mode: number): StandIn {
  const kept = join(dirname(path), `.${basename(path)}.chrootfile-kept`);
  const known = [path, kept].some((p) => lstatSync(p, { throwIfNoEntry: false }) !== undefined);
  return { path, kept: known ? kept : null, content, mode };
}

function replace({ path, kept, content, mode }: StandIn): void {
  // Where a crash left the image's own file aside, it is that one that must come back.
  if (kept !== null && lstatSync(kept, { throwIfNoEntry: false }) === undefined) renameSync(path, kept);
  rmSync(path, { force: true });
  writeFileSync(path, content, { flag: 'wx', mode });
}

async function usualMounts(root: string, shell: Shell): Promise<string[]> {
  return [
    ...(await ownDevCommands(root, makeInside(root, '/dev'), shell)),
    `mount -t sysfs -o ro,nosuid,nodev,noexec sysfs ${quoted(makeInside(root, '/sys'))}`,
    `mount -t tmpfs -o mode=755,nosuid,nodev run ${quoted(makeInside(root, '/run'))}`,
    `mkdir -m 1777 ${quoted(join(makeInside(root, '/run'), 'lock'))}`,
  ];
}

function mountCommand(
  root: string,
  mount: { readonly source: string; readonly target: string; readonly type: string; readonly options: readonly string[] },
): string {
  const how = mount.type === 'bind' ? ['--bind'] : ['-t', mount.type];
  const options = mount.options.length > 0 ? ['-o', mount.options.join(',')] : [];
  return ['mount', ...how, ...options, '--', mount.source, makeInside(root, mount.target)].map(quoted).join(' ');
}
