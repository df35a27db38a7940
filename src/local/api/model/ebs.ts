// Made from the model in the packages of the SDK by `npm run generate`: scripts/ebs_model.ts.

type Actions = Readonly<Record<string, { readonly method: string; readonly path: string; readonly status: number; readonly input: Members; readonly output: Members }>>;

/**
 * Members with their types: `string`, `integer`, `boolean`, `timestamp`, `blob`, an enumeration or a structure; `[]` is a list,
 * `!` must be given. After it, where a member is unless it is in the JSON of the body.
 */
export type Members = Readonly<Record<string, string>>;

/** The actions of EBS. */
export const actions: Actions = {
  CompleteSnapshot: { method: 'POST', path: '/snapshots/completion/{SnapshotId}', status: 202, input: { SnapshotId: 'string! path', ChangedBlocksCount: 'integer! header x-amz-ChangedBlocksCount', Checksum: 'string header x-amz-Checksum', ChecksumAlgorithm: 'ChecksumAlgorithm header x-amz-Checksum-Algorithm', ChecksumAggregationMethod: 'ChecksumAggregationMethod header x-amz-Checksum-Aggregation-Method' }, output: { Status: 'Status' } },
  GetSnapshotBlock: { method: 'GET', path: '/snapshots/{SnapshotId}/blocks/{BlockIndex}', status: 200, input: { SnapshotId: 'string! path', BlockIndex: 'integer! path', BlockToken: 'string! query blockToken' }, output: { DataLength: 'integer header x-amz-Data-Length', BlockData: 'blob body', Checksum: 'string header x-amz-Checksum', ChecksumAlgorithm: 'ChecksumAlgorithm header x-amz-Checksum-Algorithm' } },
  ListChangedBlocks: { method: 'GET', path: '/snapshots/{SecondSnapshotId}/changedblocks', status: 200, input: { SecondSnapshotId: 'string! path', FirstSnapshotId: 'string query firstSnapshotId', NextToken: 'string query pageToken', MaxResults: 'integer query maxResults', StartingBlockIndex: 'integer query startingBlockIndex' }, output: { ChangedBlocks: 'ChangedBlock[]', ExpiryTime: 'timestamp', VolumeSize: 'integer', BlockSize: 'integer', NextToken: 'string' } },
  ListSnapshotBlocks: { method: 'GET', path: '/snapshots/{SnapshotId}/blocks', status: 200, input: { SnapshotId: 'string! path', NextToken: 'string query pageToken', MaxResults: 'integer query maxResults', StartingBlockIndex: 'integer query startingBlockIndex' }, output: { Blocks: 'Block[]', ExpiryTime: 'timestamp', VolumeSize: 'integer', BlockSize: 'integer', NextToken: 'string' } },
  PutSnapshotBlock: { method: 'PUT', path: '/snapshots/{SnapshotId}/blocks/{BlockIndex}', status: 201, input: { SnapshotId: 'string! path', BlockIndex: 'integer! path', BlockData: 'blob! body', DataLength: 'integer! header x-amz-Data-Length', Checksum: 'string! header x-amz-Checksum', ChecksumAlgorithm: 'ChecksumAlgorithm! header x-amz-Checksum-Algorithm', Progress: 'integer header x-amz-Progress' }, output: { Checksum: 'string header x-amz-Checksum', ChecksumAlgorithm: 'ChecksumAlgorithm header x-amz-Checksum-Algorithm' } },
  StartSnapshot: { method: 'POST', path: '/snapshots', status: 201, input: { VolumeSize: 'integer!', ParentSnapshotId: 'string', Tags: 'Tag[]', Description: 'string', ClientToken: 'string', Encrypted: 'boolean', KmsKeyArn: 'string', Timeout: 'integer' }, output: { Description: 'string', SnapshotId: 'string', OwnerId: 'string', Status: 'Status', StartTime: 'timestamp', VolumeSize: 'integer', BlockSize: 'integer', Tags: 'Tag[]', ParentSnapshotId: 'string', KmsKeyArn: 'string', SseType: 'SSEType' } },
};

export const structures: Readonly<Record<string, Members>> = { Tag: { Key: 'string', Value: 'string' } };

/** The values of enumerations. */
export const enums: Readonly<Record<string, readonly string[]>> = {
  ChecksumAggregationMethod: ['LINEAR'],
  ChecksumAlgorithm: ['SHA256'],
  SSEType: ['none', 'sse-ebs', 'sse-kms'],
  Status: ['completed', 'error', 'pending'],
};

/** The HTTP status of errors. */
export const errors = {
  AccessDeniedException: 403,
  ConcurrentLimitExceededException: 400,
  ConflictException: 409,
  InternalServerException: 500,
  RequestThrottledException: 400,
  ResourceNotFoundException: 404,
  ServiceQuotaExceededException: 402,
  ValidationException: 400,
} as const;

export type AccessDeniedExceptionReason = 'DEPENDENCY_ACCESS_DENIED' | 'UNAUTHORIZED_ACCOUNT';
export type ChecksumAggregationMethod = 'LINEAR';
export type ChecksumAlgorithm = 'SHA256';
export type RequestThrottledExceptionReason = 'ACCOUNT_THROTTLED' | 'DEPENDENCY_REQUEST_THROTTLED' | 'RESOURCE_LEVEL_THROTTLE';
export type ResourceNotFoundExceptionReason = 'DEPENDENCY_RESOURCE_NOT_FOUND' | 'GRANT_NOT_FOUND' | 'IMAGE_NOT_FOUND' | 'SNAPSHOT_NOT_FOUND';
export type SSEType = 'none' | 'sse-ebs' | 'sse-kms';
export type ServiceQuotaExceededExceptionReason = 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED';
export type Status = 'completed' | 'error' | 'pending';
export type ValidationExceptionReason = 'CONFLICTING_BLOCK_UPDATE' | 'INVALID_BLOCK' | 'INVALID_BLOCK_TOKEN' | 'INVALID_CONTENT_ENCODING' | 'INVALID_CUSTOMER_KEY' | 'INVALID_DEPENDENCY_REQUEST' | 'INVALID_GRANT_TOKEN' | 'INVALID_IMAGE_ID' | 'INVALID_PAGE_TOKEN' | 'INVALID_PARAMETER_VALUE' | 'INVALID_SNAPSHOT_ID' | 'INVALID_TAG' | 'INVALID_VOLUME_SIZE' | 'UNRELATED_SNAPSHOTS' | 'WRITE_REQUEST_TIMEOUT';

export interface ChangedBlock { readonly BlockIndex?: number | undefined; readonly FirstBlockToken?: string | undefined; readonly SecondBlockToken?: string | undefined; }
export interface Block { readonly BlockIndex?: number | undefined; readonly BlockToken?: string | undefined; }
export interface Tag { readonly Key?: string | undefined; readonly Value?: string | undefined; }

/** What the actions take. */
export interface Requests {
  readonly CompleteSnapshot: { readonly SnapshotId: string; readonly ChangedBlocksCount: number; readonly Checksum?: string | undefined; readonly ChecksumAlgorithm?: ChecksumAlgorithm | undefined; readonly ChecksumAggregationMethod?: ChecksumAggregationMethod | undefined; };
  readonly GetSnapshotBlock: { readonly SnapshotId: string; readonly BlockIndex: number; readonly BlockToken: string; };
  readonly ListChangedBlocks: { readonly SecondSnapshotId: string; readonly FirstSnapshotId?: string | undefined; readonly NextToken?: string | undefined; readonly MaxResults?: number | undefined; readonly StartingBlockIndex?: number | undefined; };
  readonly ListSnapshotBlocks: { readonly SnapshotId: string; readonly NextToken?: string | undefined; readonly MaxResults?: number | undefined; readonly StartingBlockIndex?: number | undefined; };
  readonly PutSnapshotBlock: { readonly SnapshotId: string; readonly BlockIndex: number; readonly BlockData: Uint8Array; readonly DataLength: number; readonly Checksum: string; readonly ChecksumAlgorithm: ChecksumAlgorithm; readonly Progress?: number | undefined; };
  readonly StartSnapshot: { readonly VolumeSize: number; readonly ParentSnapshotId?: string | undefined; readonly Tags?: readonly Tag[] | undefined; readonly Description?: string | undefined; readonly ClientToken?: string | undefined; readonly Encrypted?: boolean | undefined; readonly KmsKeyArn?: string | undefined; readonly Timeout?: number | undefined; };
}

/** What the actions answer. */
export interface Answers {
  readonly CompleteSnapshot: { readonly Status?: Status | undefined; };
  readonly GetSnapshotBlock: { readonly DataLength?: number | undefined; readonly BlockData?: Uint8Array | undefined; readonly Checksum?: string | undefined; readonly ChecksumAlgorithm?: ChecksumAlgorithm | undefined; };
  readonly ListChangedBlocks: { readonly ChangedBlocks?: readonly ChangedBlock[] | undefined; readonly ExpiryTime?: Date | undefined; readonly VolumeSize?: number | undefined; readonly BlockSize?: number | undefined; readonly NextToken?: string | undefined; };
  readonly ListSnapshotBlocks: { readonly Blocks?: readonly Block[] | undefined; readonly ExpiryTime?: Date | undefined; readonly VolumeSize?: number | undefined; readonly BlockSize?: number | undefined; readonly NextToken?: string | undefined; };
  readonly PutSnapshotBlock: { readonly Checksum?: string | undefined; readonly ChecksumAlgorithm?: ChecksumAlgorithm | undefined; };
  readonly StartSnapshot: { readonly Description?: string | undefined; readonly SnapshotId?: string | undefined; readonly OwnerId?: string | undefined; readonly Status?: Status | undefined; readonly StartTime?: Date | undefined; readonly VolumeSize?: number | undefined; readonly BlockSize?: number | undefined; readonly Tags?: readonly Tag[] | undefined; readonly ParentSnapshotId?: string | undefined; readonly KmsKeyArn?: string | undefined; readonly SseType?: SSEType | undefined; };
}
