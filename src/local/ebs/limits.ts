import type { ValidationExceptionReason } from '../api/model/ebs.js';
import { invalid } from './errors.js';

interface Limit {
  readonly pattern?: RegExp;
  readonly longest?: number;
  readonly least?: number;
  readonly most?: number;
  readonly reason?: ValidationExceptionReason;
}

const snapshotId: Limit = { pattern: /^snap-[0-9a-f]+$/, longest: 64, reason: 'INVALID_SNAPSHOT_ID' };
const token = { pattern: /^[A-Za-z0-9+/=]+$/, longest: 256 };

/** Limits that the model in the SDK's package lacks. Source: EBS direct APIs reference, the parameters of each action. */
const limits: Readonly<Record<string, Limit>> = {
  SnapshotId: snapshotId,
  FirstSnapshotId: snapshotId,
  SecondSnapshotId: snapshotId,
  ParentSnapshotId: snapshotId,
  BlockIndex: { least: 0, reason: 'INVALID_BLOCK' },
  StartingBlockIndex: { least: 0 },
  BlockToken: { ...token, reason: 'INVALID_BLOCK_TOKEN' },
  NextToken: { ...token, reason: 'INVALID_PAGE_TOKEN' },
  Checksum: { ...token, longest: 64 },
  ChangedBlocksCount: { least: 0 },
  MaxResults: { least: 100, most: 10_000 },
  Progress: { least: 0, most: 100 },
  VolumeSize: { least: 1, most: 65_536, reason: 'INVALID_VOLUME_SIZE' },
  Timeout: { least: 10, most: 4320 },
  Description: { longest: 255 },
  ClientToken: { pattern: /^\S+$/, longest: 255 },
  KmsKeyArn: { pattern: /^arn:aws[a-z-]*:kms:.*:[0-9]{12}:key\/.*$/, longest: 2048, reason: 'INVALID_CUSTOMER_KEY' },
};

/** @throws EbsError when a parameter breaks its limit. */
export function checkLimits(parameters: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(parameters)) {
    const limit = limits[name];
    const broken = limit === undefined ? undefined : brokenRule(value, limit);
    if (broken !== undefined) throw invalid(limit?.reason ?? 'INVALID_PARAMETER_VALUE', constraint(value, name, broken));
  }
}

function brokenRule(value: unknown, { pattern, longest, least, most }: Limit): string | undefined {
  if (typeof value === 'number') {
    if (least !== undefined && value < least) return `Member must have value greater than or equal to ${least}`;
    return most !== undefined && value > most ? `Member must have value less than or equal to ${most}` : undefined;
  }
  if (longest !== undefined && String(value).length > longest) return `Member must have length less than or equal to ${longest}`;
  return pattern === undefined || pattern.test(String(value)) ? undefined : `Member must satisfy regular expression pattern: ${pattern.source}`;
}

/** The message of AWS's services for a value that breaks a rule of the model; null for one that is missing. */
export function constraint(value: unknown, member: string, rule: string): string {
  const name = `${member.slice(0, 1).toLowerCase()}${member.slice(1)}`;
  return `1 validation error detected: Value ${value === null ? 'null' : `'${value}'`} at '${name}' failed to satisfy constraint: ${rule}`;
}
