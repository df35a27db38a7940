import { lstatSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { copyTools, copyTree } from '../../linux/copy_tree.js';
import { idInside, makeInside } from '../../linux/rooted_path.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const upload = defineKind({
  name: 'chroot.upload',
  summary: 'Copies a file or a folder of the host into a chroot',
  docs: 'Modes, times, links, hard links among what is copied, holes, file capabilities and other extended attributes are kept (a label of SELinux is not). Files and links that are there already are replaced, never written through: nothing in the image leads outside, also nothing that a process changes meanwhile. Folders that are there are filled, and stay as they are. Folders above are made, with mode 0755. Nothing is undone; the image goes with its volume.',
  lifetime: 'step',
  in: 'required',
  tools: copyTools,
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: { type: 'string', minLength: 1, description: 'File or folder of the host, relative to the recipe' },
      to: { type: 'string', pattern: '^/', description: 'Where, inside the image; with `/` at the end, the folder to put it in' },
      mode: { type: 'string', pattern: '^[0-7]{3,4}$', description: 'File mode, quoted: `"0644"`; that of the source unless said' },
      owner: {
        type: 'string',
        pattern: '^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$',
        default: 'root:root',
        description: 'User, or user and group, by name (of the image) or number; `keep` for the numbers that each source has',
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
    if (seen === undefined) throw new Error(`there is no ${source}`);
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
