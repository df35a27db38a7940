import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A folder that can be changed root into: busybox and little else. */
export function makeRoot(folder: string): string {
  const root = join(folder, 'root');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'run', 'tmp', 'etc', 'usr/sbin', 'root']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  execFileSync('chroot', [root, '/bin/busybox', '--install', '-s', '/bin']);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/srv:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:33:\n');
  writeFileSync(join(root, 'etc/resolv.conf'), 'from the image\n');
  return root;
}
