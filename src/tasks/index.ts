import type { AnyKind } from '../runtime/engine/kind.js';
import { chroot } from './chroot/chroot.js';
import { download } from './chroot/download.js';
import { upload } from './chroot/upload.js';
import { filesystem } from './disk/filesystem.js';
import { grow } from './disk/grow.js';
import { partition } from './disk/partition.js';
import { root } from './disk/root.js';
import { attachment } from './ec2/attachment.js';
import { copy } from './ec2/copy.js';
import { host } from './ec2/host.js';
import { image } from './ec2/image.js';
import { imageAttributes } from './ec2/image_attributes.js';
import { preflight } from './ec2/preflight.js';
import { pull } from './ec2/pull.js';
import { push } from './ec2/push.js';
import { snapshot } from './ec2/snapshot.js';
import { sourceImage } from './ec2/source_image.js';
import { volume } from './ec2/volume.js';
import { fstab } from './mount/fstab.js';
import { mount } from './mount/mount.js';

/** All kinds, in the order in which lists and manuals show them. */
export const kinds: readonly AnyKind[] = [
  host,
  sourceImage,
  volume,
  attachment,
  snapshot,
  image,
  copy,
  imageAttributes,
  pull,
  push,
  preflight,
  partition,
  filesystem,
  root,
  grow,
  mount,
  fstab,
  chroot,
  upload,
  download,
];
