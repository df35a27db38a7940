import type { ProbedFacts } from './block_devices.js';
import { decoded } from './mounts.js';

/** A line of an image's /etc/fstab whose file system could be on the image's own disk. */
export interface FstabEntry {
  /** The source as written, e.g. `UUID=0b1c…` or `/dev/xvda2`. */
  readonly source: string;
  /** The mount point inside the image. */
  readonly target: string;
  readonly options: readonly string[];
  /** The line and its number, as shown in messages. */
  readonly shown: string;
}

/**
 * The entries of a table that are mounted at boot and may be on the image's own disk, outer ones first. Silently
 * ignores the root, swap, entries not mounted automatically, bind mounts, and file systems without a disk or on the
 * network.
 * Source: fstab(5), mount(8).
 */
export function entriesIn(text: string): FstabEntry[] {
  const entries = text.split('\n').flatMap((line, i) => {
    const [source = '', target = '', type = '', options = ''] = line
      .trim()
      .split(/[ \t]+/)
      .map(decoded);
    const words = options.split(',');
    const isOurs = /^((UUID|LABEL|PARTUUID|PARTLABEL)=|\/dev\/)/.test(source) && target.startsWith('/') && depthOf(target) > 0;
    if (!isOurs || type === 'swap' || words.some((word) => leftOut.includes(word))) return [];
    return [{ source, target, options: words, shown: `/etc/fstab, line ${i + 1}: ${printable(line.trim())}` }];
  });
  return entries.sort((a, b) => depthOf(a.target) - depthOf(b.target));
}

/** Options of entries that are not mounted automatically or are not on the disk. */
const leftOut = ['noauto', 'bind', 'rbind', '_netdev'];

/**
 * The partition that an entry refers to.
 * @throws Error when no partition, or more than one, has that name.
 */
export function partitionFor({ source }: FstabEntry, partitions: readonly ProbedFacts[]): ProbedFacts {
  const [, link = '', name = ''] = /^\/dev\/disk\/by-([a-z]+)\/(.*)$/.exec(source) ?? [];
  const [, tag = link.toUpperCase(), value = linkDecoded(name)] = /^([A-Z]+)=(.*)$/s.exec(source) ?? [];
  const fact = facts[tag];
  if (fact === undefined) throw new Error(`${printable(source)} may be another disk on this machine; use UUID= in the image`);
  const wanted = value.replaceAll('"', '');
  const same = (found = '') => (tag.endsWith('UUID') ? found.toLowerCase() === wanted.toLowerCase() : found === wanted);
  const [only, ...more] = wanted === '' ? [] : partitions.filter((each) => same(each[fact]));
  if (only === undefined) throw new Error(`no partition of the disk has that ${tag}`);
  if (more.length > 0) throw new Error(`${[only, ...more].map(({ DEVNAME }) => DEVNAME).join(' and ')} have the same ${tag}`);
  if (!mountable.includes(only['TYPE'] ?? '')) throw new Error(`${only['DEVNAME']} contains ${only['TYPE'] ?? 'no file system'}`);
  return only;
}

/** File systems that systems boot from. Other file system drivers of this machine's kernel are used on an image only if the recipe asks for it. */
const mountable = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'vfat', 'exfat'];

/** The names that blkid uses for the tags in a table. */
const facts: Readonly<Record<string, string>> = { UUID: 'UUID', LABEL: 'LABEL', PARTUUID: 'PART_ENTRY_UUID', PARTLABEL: 'PART_ENTRY_NAME' };

/**
 * The options of an entry that this type of file system supports and that affect which files are visible or how they
 * are stored. The other options do not matter for a build, or would let an image decide how this machine mounts it.
 * @throws Error when such an option has an unexpected value. Without it, the wrong files might be mounted.
 */
export function optionsOf({ options }: FstabEntry, type: string): string[] {
  return options.filter((option) => {
    const [name = '', value] = option.split(/=(.*)/s);
    if (!supported.includes(name) && !supportedBy[type]?.includes(name)) return false;
    if (value !== undefined && !/^[\w@./:+-]+$/.test(value)) throw new Error(`invalid option ${printable(option)}`);
    return true;
  });
}

const supported = ['ro', 'noatime', 'relatime', 'nodiratime', 'discard'];

const supportedBy: Readonly<Record<string, readonly string[]>> = {
  btrfs: ['subvol', 'subvolid', 'compress', 'compress-force'],
  vfat: ['umask', 'fmask', 'dmask', 'uid', 'gid', 'iocharset', 'codepage', 'shortname', 'utf8'],
};

function depthOf(path: string): number {
  return path.split('/').filter((part) => part !== '' && part !== '.').length;
}

/** Decodes the escapes of special characters in the names of udev's links. */
function linkDecoded(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** Text of an image, made safe to print. */
function printable(text: string): string {
  const shown = text.replace(/\p{Cc}+/gu, ' ');
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}
