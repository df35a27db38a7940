import type { ProbedFacts } from './block_devices.js';
import { decoded } from './mounts.js';

/** A line of an image's /etc/fstab that names a file system which could be on the image's own disk. */
export interface FstabEntry {
  /** As it is written, e.g. `UUID=0b1c…` or `/dev/xvda2`. */
  readonly source: string;
  /** Where it belongs, inside the image. */
  readonly target: string;
  readonly options: readonly string[];
  /** The line and its number, as they are shown to people. */
  readonly shown: string;
}

/**
 * The entries of a table that are mounted when the system starts and may be on its own disk, the outer ones first. Left
 * out without a word: the root, swap, what is not mounted by itself, bind mounts, and what has no disk or is in the network.
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

/** Options of what is not mounted by itself, or is none of the disk's. */
const leftOut = ['noauto', 'bind', 'rbind', '_netdev'];

/**
 * The partition that an entry means.
 * @throws Error where none has that name, or two have.
 */
export function partitionFor({ source }: FstabEntry, partitions: readonly ProbedFacts[]): ProbedFacts {
  const [, link = '', name = ''] = /^\/dev\/disk\/by-([a-z]+)\/(.*)$/.exec(source) ?? [];
  const [, tag = link.toUpperCase(), value = linkDecoded(name)] = /^([A-Z]+)=(.*)$/s.exec(source) ?? [];
  const fact = facts[tag];
  if (fact === undefined) throw new Error(`${printable(source)} may be another disk on this machine: name it by UUID= in the image`);
  const wanted = value.replaceAll('"', '');
  const same = (found = '') => (tag.endsWith('UUID') ? found.toLowerCase() === wanted.toLowerCase() : found === wanted);
  const [only, ...more] = wanted === '' ? [] : partitions.filter((each) => same(each[fact]));
  if (only === undefined) throw new Error(`nothing on the disk has that ${tag}`);
  if (more.length > 0) throw new Error(`${[only, ...more].map(({ DEVNAME }) => DEVNAME).join(' and ')} have the same ${tag}`);
  if (!mountable.includes(only['TYPE'] ?? '')) throw new Error(`${only['DEVNAME']} holds ${only['TYPE'] ?? 'no file system'}`);
  return only;
}

/** What systems start from. Other drivers of this machine's kernel never see an image's bytes unless a recipe says so. */
const mountable = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'vfat', 'exfat'];

/** What blkid calls the names that are written in a table. */
const facts: Readonly<Record<string, string>> = { UUID: 'UUID', LABEL: 'LABEL', PARTUUID: 'PART_ENTRY_UUID', PARTLABEL: 'PART_ENTRY_NAME' };

/**
 * The options of an entry that a file system of this type takes and that decide what is seen, or how it is kept. The
 * others are irrelevant to a build, or would let an image decide how this machine mounts it.
 * @throws Error where such an option has an odd value: without it something else would be mounted.
 */
export function optionsOf({ options }: FstabEntry, type: string): string[] {
  return options.filter((option) => {
    const [name = '', value] = option.split(/=(.*)/s);
    if (!taken.includes(name) && !takenBy[type]?.includes(name)) return false;
    if (value !== undefined && !/^[\w@./:+-]+$/.test(value)) throw new Error(`invalid option ${printable(option)}`);
    return true;
  });
}

const taken = ['ro', 'noatime', 'relatime', 'nodiratime', 'discard'];

const takenBy: Readonly<Record<string, readonly string[]>> = {
  btrfs: ['subvol', 'subvolid', 'compress', 'compress-force'],
  vfat: ['umask', 'fmask', 'dmask', 'uid', 'gid', 'iocharset', 'codepage', 'shortname', 'utf8'],
};

function depthOf(path: string): number {
  return path.split('/').filter((part) => part !== '' && part !== '.').length;
}

/** In names of udev's links other characters are escapes. */
function linkDecoded(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** Text of an image as it may be shown. */
function printable(text: string): string {
  const shown = text.replace(/\p{Cc}+/gu, ' ');
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}
