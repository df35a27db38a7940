import { lstatSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { copyTools, copyTree } from '../../linux/copy_tree.js';
import { idInside, makeInside } from '../../linux/rooted_path.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const upload = defineKind({
  name: 'chroot.upload',
  summary: 'Copies a file or a folder of the host into a chroot',
  docs: 'The copy keeps modes, times, links, hard links between the copied files, holes, file capabilities and other extended attributes, except SELinux labels. Existing files and links are replaced, never written through, so no link in the image leads to a file of the host, even while a process changes it. Existing folders keep their owner and mode, and the copy is added to them. Missing parent folders are created with mode 0755. Nothing is undone, because a failed run deletes the volume with the image.',
  lifetime: 'step',
  in: 'required',
  content: 1,
  copies: ['from'],
  tools: copyTools,
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: { type: 'string', minLength: 1, description: 'File or folder of the host, relative to the recipe' },
      to: { type: 'string', pattern: '^/', description: 'Target inside the image; a trailing `/` means a folder to copy into' },
      mode: { type: 'string', pattern: '^[0-7]{3,4}$', description: 'File mode, quoted: `"0644"`; defaults to the mode of the source' },
      owner: {
        type: 'string',
        pattern: '^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$',
        default: 'root:root',
        description: "User, or `user:group`, by number or by a name of the image; `keep` keeps each file's own numbers",
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path: { type: 'string', description: 'The path inside the image' } },
  },
  example: { from: 'files/index.html', to: '/var/www/html/index.html', mode: '0644' },
  run: async ({ from, to, mode, owner }, context) => {
    const root = context.root as string;
    const source = resolve(context.folder, from);
    const seen = lstatSync(source, { throwIfNoEntry: false });
    if (seen === undefined) throw new Error(`${source} does not exist`);
    const [user = 'root', group = user] = owner.split(':');
    const ids = owner === 'keep' ? owner : { user: await idInside(root, 'passwd', user), group: await idInside(root, 'group', group) };
    const inside = to.endsWith('/') ? join(to, basename(source)) : to;
    const folder = relative(root, makeInside(root, dirname(inside)));
    const name = basename(inside);
    await copyTree(
      { folder: dirname(source), name: basename(source) || '.', shown: source },
      { within: root, folder, name },
      {
        ...(mode === undefined ? {} : { fileMode: Number.parseInt(mode, 8) }),
        owner: ids,
        rights: true,
        signal: context.signal,
        warn: (message) => context.warn(message),
      },
    );
    return { path: join('/', folder, name) };
  },
});
