import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultRule, Latency } from '../../src/local/fault_injection.js';
import { repository } from './program.js';

/** The library with all there is. */
export const library = join(repository, 'recipes/lib/amazon_chroot.yml');

/** Its whole EC2 side, on a disk without a system: from the source to images in three regions, shared. */
export const pipeline = (more = '') => `inputs: {dry_run: {type: boolean, default: false}}
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  preflight: {uses: ec2.preflight, before: [volume], with: {name: "next-{{ run.id }}", source: "{{ source.id }}", regions: [local-2, local-3], users: ["123456789012"], dry_run: "{{ inputs.dry_run }}"}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  write: {run: "test -b {{ disk.device }}"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", source: "{{ source.id }}", snapshot: "{{ snapshot.id }}"}}
  copies: {uses: ec2.copy, with: {image: "{{ image.id }}", regions: [local-2, local-3]}}
  share:
    uses: ec2.image_attributes
    with:
      images: "{{ copies.images }}"
      snapshots: "{{ copies.snapshots }}"
      users: ["123456789012"]
      snapshot_users: ["123456789012"]
      deprecate_at: "2030-06-30T12:00:00Z"
      deregistration_protection: enabled
${more}outputs: {images: "{{ share.images }}"}
`;

/** The source image of {@link pipeline}: an empty disk of 1 GiB. */
export const base = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: base, snapshot: "{{ snapshot.id }}", boot_mode: uefi}}
`;

/** What the embedded EC2 of a folder holds, as `REGION KIND NAME-OR-ID`; with the disks that no record has. */
export function heldBy(folder: string): string[] {
  const root = join(folder, 'state/local');
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: region }) => {
      const ids = ['volumes', 'snapshots', 'images'].flatMap((kind) =>
        recordsOf(folder, region, kind).map((record) => ({ kind, id: String(record['id']), name: record['name'] })),
      );
      const disks = existsSync(join(root, region, 'disks')) ? readdirSync(join(root, region, 'disks')) : [];
      const orphans = disks.filter((disk) => !ids.some(({ id }) => disk === `${id}.img` || disk === `${id}.digests`));
      return [...ids.map(({ kind, id, name }) => `${region} ${kind} ${String(name ?? id)}`), ...orphans.map((disk) => `${region} disk ${disk}`)];
    })
    .sort();
}

/** The records of one kind in one region, as they are kept. */
export function recordsOf(folder: string, region: string, kind: string): Record<string, unknown>[] {
  const path = join(folder, 'state/local', region, kind);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(path, file), 'utf8')) as Record<string, unknown>);
}

/** The environment in which the embedded EC2 has these faults and this latency. */
export function misbehaving(folder: string, rules: readonly FaultRule[], latency: Partial<Latency> = {}): Record<string, string> {
  const files = { CHROOTFILE_LOCAL_FAULTS: join(folder, 'faults.json'), CHROOTFILE_LOCAL_LATENCY: join(folder, 'latency.json') };
  writeFileSync(files.CHROOTFILE_LOCAL_FAULTS, JSON.stringify(rules));
  writeFileSync(files.CHROOTFILE_LOCAL_LATENCY, JSON.stringify(latency));
  return files;
}
