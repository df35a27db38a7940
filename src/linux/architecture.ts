import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { insideRoot } from './rooted_path.js';

const registry = '/proc/sys/fs/binfmt_misc';

/**
 * Why a program of an image, or its /bin/sh, cannot run on this machine: it is built for another architecture, and the
 * registered emulator, if any, does not work inside the image. Undefined when it can run.
 */
export function foreignIn(root: string, program: string): string | undefined {
  const own = machineOf(headerOf('/proc/self/exe'));
  for (const path of new Set([program, '/bin/sh'])) {
    const header = headerInside(root, path);
    const machine = machineOf(header);
    if (header === undefined || machine === undefined || machine === own) continue;
    const emulator = emulatorOf(header);
    if (emulator?.flags.includes('F')) continue;
    const why =
      emulator === undefined
        ? `binfmt_misc has no emulator for ${machine}`
        : `${emulator.name} is registered with binfmt_misc without the flag F, so the kernel looks for it inside the image`;
    return `${path} in the image is built for ${machine}, this machine is ${own}, and ${why}\n  help: apt-get install qemu-user-static, which registers emulators with the flag F`;
  }
  return undefined;
}

/** Machine names as printed by uname(1), by e_machine, for 32 and 64 bits. Source: ELF, "e_machine"; Linux, include/uapi/linux/elf-em.h. */
const machines: Readonly<Record<number, readonly [string, string]>> = {
  3: ['i686', 'i686'],
  8: ['mips', 'mips64'],
  21: ['ppc64', 'ppc64'],
  22: ['s390', 's390x'],
  40: ['arm', 'arm'],
  62: ['x86_64', 'x86_64'],
  183: ['aarch64', 'aarch64'],
  243: ['riscv32', 'riscv64'],
  258: ['loongarch32', 'loongarch64'],
};

/** The machine that an ELF file is built for; undefined for other files. */
function machineOf(header: Buffer | undefined): string | undefined {
  if (header === undefined || header.length < 20 || header.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const little = header[5] === 1;
  const machine = little ? header.readUInt16LE(18) : header.readUInt16BE(18);
  const name = machines[machine]?.[header[4] === 2 ? 1 : 0] ?? `ELF machine ${machine}`;
  return little && /^(mips|ppc)/.test(name) ? `${name}${name.startsWith('ppc') ? 'le' : 'el'}` : name;
}

function headerInside(root: string, path: string): Buffer | undefined {
  try {
    return headerOf(insideRoot(root, path), constants.O_NOFOLLOW);
  } catch {
    // The file is missing or not regular. That already explains why it does not run.
    return undefined;
  }
}

/** The beginning of a file from which the kernel determines its format. Source: Linux, include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE. */
function headerOf(path: string, flags = 0): Buffer | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    const header = Buffer.alloc(256);
    return fstatSync(fd).isFile() ? header.subarray(0, readSync(fd, header)) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The emulator that the kernel would start for a file. Source: Linux, Documentation/admin-guide/binfmt-misc.rst. */
function emulatorOf(header: Buffer): { name: string; flags: string } | undefined {
  let names: string[] = [];
  try {
    names = readdirSync(registry).filter((name) => name !== 'register' && name !== 'status');
  } catch {
    // The kernel has no emulators registered.
  }
  for (const name of names) {
    const text = readFileSync(join(registry, name), 'utf8');
    const [, offset = '0'] = /^offset (\d+)$/m.exec(text) ?? [];
    const [, magic] = /^magic ([0-9a-f]+)$/m.exec(text) ?? [];
    const [, mask] = /^mask ([0-9a-f]+)$/m.exec(text) ?? [];
    if (!text.startsWith('enabled') || magic === undefined) continue;
    const wanted = Buffer.from(magic, 'hex');
    const bits = mask === undefined ? undefined : Buffer.from(mask, 'hex');
    const fits = [...wanted].every((byte, i) => (((header[Number(offset) + i] ?? 0) ^ byte) & (bits?.[i] ?? 0xff)) === 0);
    if (fits) return { name, flags: /^flags: (.*)$/m.exec(text)?.[1] ?? '' };
  }
  return undefined;
}
