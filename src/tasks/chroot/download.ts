import { existsSync, lstatSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { copyTools, copyTree } from '../../linux/copy_tree.js';
import { makeNotedFolder, removeNotedFolder } from '../../linux/mounts.js';
import { openInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { defineKind } from '../../runtime/engine/kind.js';

interface Note {
  readonly path: string;
  /** Whether something was there, which is kept. */
  readonly had?: boolean;
  /** The topmost folder that was made for it. */
  readonly made?: string | undefined;
}

export const download = defineKind({
  name: 'chroot.download',
  summary: 'Copies a file or a folder out of a chroot to the host',
  docs: 'Links on the way are followed within the image only, also while a process changes them. Times, links, hard links among what is copied, holes and extended attributes of users (`user.*`) are kept. What would give rights on the host is not: the files belong to whoever runs chrootfile, without set-user-ID and set-group-ID bits (unless `mode` has them), file capabilities and access control lists. What was not there before is removed again when the run fails; what was there is replaced.',
  lifetime: 'step',
  takesBack: 'remove what was copied',
  in: 'required',
  tools: copyTools,
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: { type: 'string', pattern: '^/', description: 'File or folder inside the image' },
      to: { type: 'string', minLength: 1, description: 'Where on the host, relative to the recipe; with `/` at the end, the folder to put it in' },
      mode: { type: 'string', pattern: '^[0-7]{3,4}$', description: 'File mode, quoted: `"0644"`; that of the source unless said' },
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
    // Not by Node: where names are no UTF-8, it does not find what it has just listed.
    if (!had) await shell.run(['rm', '-rf', '--', path]);
    removeNotedFolder(dirname(path), made);
  },
  byHand: ({ path, had }: Note) => (had || !existsSync(path) ? [] : [`rm -r -- ${shellWord(path)}`]),
});
