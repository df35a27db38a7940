import { existsSync, lstatSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { copyTools, copyTree } from '../../linux/copy_tree.js';
import { makeNotedFolder, removeNotedFolder } from '../../linux/mounts.js';
import { openInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { defineKind } from '../../runtime/engine/kind.js';

interface Note {
  readonly path: string;
  /** Whether something existed at the path before; undo keeps it. */
  readonly had?: boolean;
  /** The topmost folder created for it. */
  readonly made?: string | undefined;
}

export const download = defineKind({
  name: 'chroot.download',
  summary: 'Copies a file or a folder out of a chroot to the host',
  docs: 'Links in the path are resolved inside the image only, even while a process changes them. The copy keeps times, links, hard links between the copied files, holes and user extended attributes (`user.*`). It drops what would grant rights on the host: the files belong to the user who runs chrootfile. They have no file capabilities, no access control lists, and no set-user-ID or set-group-ID bits unless `mode` sets them. An existing target is replaced, and stays replaced when the run fails. A new target is deleted when the run fails.',
  lifetime: 'step',
  undoes: 'delete the copy',
  in: 'required',
  tools: copyTools,
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: { type: 'string', pattern: '^/', description: 'File or folder inside the image' },
      to: { type: 'string', minLength: 1, description: 'Target on the host, relative to the recipe; a trailing `/` means a folder to copy into' },
      mode: { type: 'string', pattern: '^[0-7]{3,4}$', description: 'File mode, quoted: `"0644"`; defaults to the mode of the source' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path: { type: 'string', description: 'The path on the host' } },
  },
  example: { from: '/var/log/dpkg.log', to: 'results/' },
  run: async ({ from, to, mode }, context) => {
    const root = context.root as string;
    const source = openInside(root, from);
    try {
      if (lstatSync(source.at, { throwIfNoEntry: false }) === undefined) throw new Error(`the image has no ${from}`);
      const target = to.endsWith('/') ? join(resolve(context.folder, to), basename(from)) : resolve(context.folder, to);
      const had = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
      makeNotedFolder(dirname(target), (made) => {
        if (!had || made !== undefined) context.note({ path: target, had, made } satisfies Note);
      });
      await copyTree(
        { folder: dirname(source.at), name: basename(source.at), shown: from },
        { within: dirname(target), folder: '', name: basename(target) },
        {
          ...(mode === undefined ? {} : { fileMode: Number.parseInt(mode, 8) }),
          rights: false,
          signal: context.signal,
          warn: (message) => context.warn(message),
        },
      );
      return { path: target };
    } finally {
      source.close();
    }
  },
  undo: async ({ path, had, made }: Note, { shell }) => {
    // Not by Node: it lists names that are not UTF-8, but then does not find them.
    if (!had) await shell.run(['rm', '-rf', '--', path]);
    removeNotedFolder(dirname(path), made);
  },
  byHand: ({ path, had }: Note) => (had || !existsSync(path) ? [] : [`rm -r -- ${shellWord(path)}`]),
});
