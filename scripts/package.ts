import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

// Makes packages/chrootfile-VERSION.tgz for npm and packages/chrootfile_VERSION_all.deb, and lists what is in them by
// size. The bundles in dist/ contain all dependencies, so the packed package.json names none. `npm run package`
// builds first.

const out = resolve(process.argv[2] ?? 'packages');
const stage = mkdtempSync(join(tmpdir(), 'chrootfile-package-'));
const root = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown> & { version: string; description: string; homepage: string };

/** Says what removal leaves: the state has images, and runs that may still have to be undone. */
const postrm = `#!/bin/sh
set -e
state=/var/lib/chrootfile
case $1 in
  remove | purge)
    if [ -d $state ]; then echo "chrootfile: runs and images stay in $state"; fi
    ;;
esac
`;

try {
  mkdirSync(out, { recursive: true });
  const files = filesOfPackage();
  const npm = join(stage, 'npm');
  stageNpm(npm, files);
  const [packed] = JSON.parse(run('npm', 'pack', npm, '--json', '--pack-destination', out)) as [{ filename: string; size: number }];
  console.log(files.map(({ path, size }) => `${String(size).padStart(9)}  ${path}`).join('\n'));
  console.log(`${String(files.reduce((sum, { size }) => sum + size, 0)).padStart(9)}  in ${files.length} files\n`);
  console.log(`${join(out, packed.filename)}: ${packed.size} bytes`);
  const deb = join(out, `chrootfile_${root.version}_all.deb`);
  stageDeb(join(stage, 'deb'), npm);
  run('dpkg-deb', '--root-owner-group', '-Zxz', '--build', join(stage, 'deb'), deb);
  console.log(`${deb}: ${readFileSync(deb).length} bytes`);
} finally {
  rmSync(stage, { recursive: true });
}

/** What npm would pack of this folder, largest first. */
function filesOfPackage(): { path: string; size: number }[] {
  const [packed] = JSON.parse(run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts')) as [{ files: { path: string; size: number }[] }];
  return packed.files.sort((a, b) => b.size - a.size);
}

function stageNpm(folder: string, files: readonly { path: string }[]): void {
  for (const { path } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
  const { dependencies, devDependencies, scripts, ...kept } = root;
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(kept, undefined, 2)}\n`);
}

/** The tree of the Debian package. Source: Debian Policy Manual, chapters 3, 5, 6 and 12. */
function stageDeb(folder: string, npm: string): void {
  const library = join(folder, 'usr/lib/chrootfile');
  const share = join(folder, 'usr/share');
  for (const name of ['bin', 'dist', 'recipes', 'schemas', 'package.json']) cpSync(join(npm, name), join(library, name), { recursive: true });
  const doc = join(share, 'doc/chrootfile');
  for (const name of ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs']) cpSync(join(npm, name), join(doc, name), { recursive: true });
  const notices = 'The licenses of the packages in its bundles: /usr/lib/chrootfile/dist/THIRD-PARTY-NOTICES\n';
  put(join(doc, 'copyright'), `${readFileSync('LICENSE', 'utf8')}\n${notices}`);
  put(join(doc, 'changelog.gz'), gzipSync(readFileSync('CHANGELOG.md'), { level: 9 }));
  put(join(share, 'man/man1/chrootfile.1.gz'), gzipSync(readFileSync('dist/chrootfile.1'), { level: 9 }));
  rmSync(join(library, 'dist/chrootfile.1'));
  rmSync(join(library, 'dist/completions'), { recursive: true });
  put(join(share, 'bash-completion/completions/chrootfile'), readFileSync('dist/completions/chrootfile.bash'));
  put(join(share, 'zsh/vendor-completions/_chrootfile'), readFileSync('dist/completions/chrootfile.zsh'));
  put(join(share, 'fish/vendor_completions.d/chrootfile.fish'), readFileSync('dist/completions/chrootfile.fish'));
  mkdirSync(join(folder, 'usr/bin'));
  symlinkSync('../lib/chrootfile/bin/chrootfile', join(folder, 'usr/bin/chrootfile'));
  run('chmod', '-R', 'u=rwX,go=rX', folder);
  put(join(folder, 'DEBIAN/control'), control(folder));
  put(join(folder, 'DEBIAN/postrm'), postrm);
  chmodSync(join(folder, 'DEBIAN/postrm'), 0o755);
}

function put(file: string, content: string | Buffer): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Not Depends: nodejs. Debian 12's is 18; the launcher finds a newer one wherever it was installed. */
function control(folder: string): string {
  return `Package: chrootfile
Version: ${root.version}
Architecture: all
Maintainer: The chrootfile authors <chrootfile@users.noreply.github.com>
Installed-Size: ${run('du', '-sk', folder).split('\t')[0]}
Depends: util-linux, mount, fdisk, e2fsprogs
Recommends: mmdebstrap
Section: admin
Priority: optional
Homepage: ${root.homepage.replace(/#.*/, '')}
Description: ${root.description}
 Runs the tasks of a recipe: creates a volume, attaches and mounts it, runs
 scripts in a chroot on it, and makes a snapshot and an image of it. A failure,
 signal or crash leaves nothing behind. An embedded EC2 makes an AWS account
 unnecessary for trying and testing.
 .
 Needs Node.js 20.19 or newer in PATH, or its path in CHROOTFILE_NODE.
`;
}

function run(...[program = '', ...words]: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
