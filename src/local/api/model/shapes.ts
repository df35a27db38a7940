// Made from the model in the packages of the SDK by `npm run generate`: scripts/ec2_model.ts.

type Shapes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The values of enumerations. */
export const enums: Readonly<Record<string, string>> = {
  ArchitectureValues: 'arm64 arm64_mac i386 x86_64 x86_64_mac',
  BootModeValues: 'legacy-bios uefi uefi-preferred',
  CopyTagsFromSource: 'volume',
  ImageAttributeName: 'blockDeviceMapping bootMode deregistrationProtection description imdsSupport kernel lastLaunchedTime launchPermission productCodes ramdisk sriovNetSupport tpmSupport uefiData',
  ImdsSupportValues: 'v2.0',
  OperationType: 'add remove',
  PermissionGroup: 'all',
  ResetImageAttributeName: 'launchPermission',
  ResourceType: 'application-status-check capacity-block capacity-manager-data-export capacity-reservation capacity-reservation-cancellation-quote capacity-reservation-fleet capacity-reservation-modification-quote carrier-gateway client-vpn-endpoint coip-pool customer-gateway declarative-policies-report dedicated-host dhcp-options egress-only-internet-gateway elastic-gpu elastic-ip export-image-task export-instance-task fca-policy fleet fpga-image host-reservation image image-usage-report import-image-task import-snapshot-task instance instance-connect-endpoint instance-event-window internet-gateway ipam ipam-external-resource-verification-token ipam-internet-registry-association ipam-policy ipam-pool ipam-pool-allocation ipam-prefix-list-resolver ipam-prefix-list-resolver-target ipam-resource-discovery ipam-resource-discovery-association ipam-scope ipv4pool-ec2 ipv6pool-ec2 key-pair launch-template local-gateway local-gateway-route-table local-gateway-route-table-virtual-interface-group-association local-gateway-route-table-vpc-association local-gateway-virtual-interface local-gateway-virtual-interface-group mac-modification-task metric-category natgateway network-acl network-insights-access-scope network-insights-access-scope-analysis network-insights-analysis network-insights-path network-interface outpost-lag placement-group prefix-list replace-root-volume-task reserved-instances route-server route-server-endpoint route-server-peer route-table secondary-interface secondary-network secondary-subnet security-group security-group-rule service-link-virtual-interface snapshot spot-fleet-request spot-instances-request subnet subnet-cidr-reservation traffic-mirror-filter traffic-mirror-filter-rule traffic-mirror-session traffic-mirror-target transit-gateway transit-gateway-attachment transit-gateway-connect-peer transit-gateway-metering-policy transit-gateway-multicast-domain transit-gateway-policy-table transit-gateway-route-table transit-gateway-route-table-announcement verified-access-endpoint verified-access-endpoint-target verified-access-group verified-access-instance verified-access-policy verified-access-trust-provider volume vpc vpc-block-public-access-exclusion vpc-encryption-control vpc-endpoint vpc-endpoint-connection vpc-endpoint-connection-device-type vpc-endpoint-service vpc-endpoint-service-permission vpc-flow-log vpc-peering-connection vpn-concentrator vpn-connection vpn-connection-device-type vpn-gateway',
  SnapshotAttributeName: 'createVolumePermission productCodes',
  TpmSupportValues: 'v2.0',
  VolumeType: 'gp2 gp3 io1 io2 sc1 st1 standard',
};

/**
 * The members of structures with their types: `string`, `integer`, `boolean`, `timestamp`, an enumeration or a
 * structure; `[]` is a list, `!` must be given, `any` is a list of STS, which is written in another way and not read, and
 * those without a type EC2 has, but they are not served.
 */
export const structures: Shapes = {
  AttributeValue: { Value: 'string' },
  BlockDeviceMapping: { Ebs: 'EbsBlockDevice', NoDevice: 'string', DeviceName: 'string', VirtualName: 'string' },
  CreateVolumePermission: { UserId: 'string', Group: 'PermissionGroup' },
  CreateVolumePermissionModifications: { Add: 'CreateVolumePermission[]', Remove: 'CreateVolumePermission[]' },
  EbsBlockDevice: { DeleteOnTermination: 'boolean', Iops: 'integer', SnapshotId: 'string', VolumeSize: 'integer', VolumeType: 'VolumeType', KmsKeyId: '', Throughput: 'integer', OutpostArn: '', AvailabilityZone: '', Encrypted: 'boolean', VolumeInitializationRate: '', AvailabilityZoneId: '', EbsCardIndex: '' },
  Filter: { Name: 'string', Value: 'string[]' },
  InstanceSpecification: { InstanceId: 'string!', ExcludeBootVolume: 'boolean', ExcludeDataVolumeId: 'string[]' },
  LaunchPermission: { OrganizationArn: 'string', OrganizationalUnitArn: 'string', UserId: 'string', Group: 'PermissionGroup' },
  LaunchPermissionModifications: { Add: 'LaunchPermission[]', Remove: 'LaunchPermission[]' },
  Tag: { Key: 'string', Value: 'string' },
  TagSpecification: { ResourceType: 'ResourceType', Tag: 'Tag[]' },
};

/** The parameters of the actions that are served, as those of structures. */
export const actions: Shapes = {
  AssumeRole: { RoleArn: 'string!', RoleSessionName: 'string!', PolicyArns: 'any', Policy: 'string', DurationSeconds: 'integer', Tags: 'any', TransitiveTagKeys: 'any', ExternalId: 'string', SerialNumber: 'string', TokenCode: 'string', SourceIdentity: '', ProvidedContexts: '', MinimumSessionTokenSize: '' },
  AttachVolume: { Device: 'string!', InstanceId: 'string!', VolumeId: 'string!', EbsCardIndex: '', DryRun: 'boolean' },
  CopyImage: { Name: 'string!', SourceImageId: 'string!', SourceRegion: 'string!', ClientToken: 'string', Description: 'string', Encrypted: 'boolean', KmsKeyId: 'string', DestinationOutpostArn: '', CopyImageTags: 'boolean', TagSpecification: 'TagSpecification[]', SnapshotCopyCompletionDurationMinutes: 'integer', DestinationAvailabilityZone: '', DestinationAvailabilityZoneId: '', DryRun: 'boolean' },
  CopySnapshot: { SourceRegion: 'string!', SourceSnapshotId: 'string!', Description: 'string', DestinationOutpostArn: '', DestinationRegion: 'string', Encrypted: 'boolean', KmsKeyId: 'string', PresignedUrl: 'string', TagSpecification: 'TagSpecification[]', CompletionDurationMinutes: 'integer', DestinationAvailabilityZone: '', DryRun: 'boolean' },
  CreateImage: { InstanceId: 'string!', Name: 'string!', TagSpecification: 'TagSpecification[]', SnapshotLocation: '', BootModeOverride: '', DryRun: 'boolean', Description: 'string', NoReboot: 'boolean', BlockDeviceMapping: 'BlockDeviceMapping[]' },
  CreateSnapshot: { VolumeId: 'string!', Description: 'string', OutpostArn: '', TagSpecification: 'TagSpecification[]', Location: '', DryRun: 'boolean' },
  CreateSnapshots: { InstanceSpecification: 'InstanceSpecification!', Description: 'string', OutpostArn: '', TagSpecification: 'TagSpecification[]', DryRun: 'boolean', CopyTagsFromSource: 'CopyTagsFromSource', Location: '' },
  CreateTags: { ResourceId: 'string[]!', Tag: 'Tag[]!', DryRun: 'boolean' },
  CreateVolume: { AvailabilityZone: 'string', AvailabilityZoneId: 'string', Encrypted: 'boolean', Iops: 'integer', KmsKeyId: 'string', OutpostArn: '', Size: 'integer', SnapshotId: 'string', VolumeType: 'VolumeType', TagSpecification: 'TagSpecification[]', MultiAttachEnabled: 'boolean', Throughput: 'integer', ClientToken: 'string', VolumeInitializationRate: '', Operator: '', DryRun: 'boolean' },
  DecodeAuthorizationMessage: { EncodedMessage: 'string!' },
  DeleteSnapshot: { SnapshotId: 'string!', DryRun: 'boolean' },
  DeleteTags: { ResourceId: 'string[]!', DryRun: 'boolean', Tag: 'Tag[]' },
  DeleteVolume: { VolumeId: 'string!', DryRun: 'boolean' },
  DeregisterImage: { ImageId: 'string!', DeleteAssociatedSnapshots: 'boolean', DryRun: 'boolean' },
  DescribeAvailabilityZones: { ZoneName: 'string[]', ZoneId: 'string[]', AllAvailabilityZones: 'boolean', DryRun: 'boolean', Filter: 'Filter[]' },
  DescribeImageAttribute: { Attribute: 'ImageAttributeName!', ImageId: 'string!', DryRun: 'boolean' },
  DescribeImages: { ExecutableBy: 'string[]', ImageId: 'string[]', Owner: 'string[]', IncludeDeprecated: 'boolean', IncludeDisabled: 'boolean', MaxResults: 'integer', NextToken: 'string', DryRun: 'boolean', Filter: 'Filter[]' },
  DescribeInstanceStatus: { InstanceId: 'string[]', MaxResults: 'integer', NextToken: 'string', IncludeManagedResources: '', DryRun: 'boolean', Filter: 'Filter[]', IncludeAllInstances: 'boolean' },
  DescribeInstances: { InstanceId: 'string[]', IncludeManagedResources: '', DryRun: 'boolean', Filter: 'Filter[]', NextToken: 'string', MaxResults: 'integer' },
  DescribeRegions: { RegionName: 'string[]', AllRegions: 'boolean', DryRun: 'boolean', Filter: 'Filter[]' },
  DescribeSnapshotAttribute: { Attribute: 'SnapshotAttributeName!', SnapshotId: 'string!', DryRun: 'boolean' },
  DescribeSnapshots: { MaxResults: 'integer', NextToken: 'string', Owner: 'string[]', RestorableBy: 'string[]', SnapshotId: 'string[]', DryRun: 'boolean', Filter: 'Filter[]' },
  DescribeTags: { DryRun: 'boolean', Filter: 'Filter[]', MaxResults: 'integer', NextToken: 'string' },
  DescribeVolumeStatus: { MaxResults: 'integer', NextToken: 'string', VolumeId: 'string[]', IncludeManagedResources: '', DryRun: 'boolean', Filter: 'Filter[]' },
  DescribeVolumes: { VolumeId: 'string[]', IncludeManagedResources: '', DryRun: 'boolean', Filter: 'Filter[]', NextToken: 'string', MaxResults: 'integer' },
  DescribeVolumesModifications: { DryRun: 'boolean', VolumeId: 'string[]', Filter: 'Filter[]', NextToken: 'string', MaxResults: 'integer', IncludeManagedResources: '' },
  DetachVolume: { VolumeId: 'string!', Device: 'string', Force: 'boolean', InstanceId: 'string', DryRun: 'boolean' },
  DisableEbsEncryptionByDefault: { DryRun: 'boolean' },
  DisableImage: { ImageId: 'string!', DryRun: 'boolean' },
  DisableImageDeprecation: { ImageId: 'string!', DryRun: 'boolean' },
  DisableImageDeregistrationProtection: { ImageId: 'string!', DryRun: 'boolean' },
  EnableEbsEncryptionByDefault: { DryRun: 'boolean' },
  EnableImage: { ImageId: 'string!', DryRun: 'boolean' },
  EnableImageDeprecation: { ImageId: 'string!', DeprecateAt: 'timestamp!', DryRun: 'boolean' },
  EnableImageDeregistrationProtection: { ImageId: 'string!', WithCooldown: 'boolean', DryRun: 'boolean' },
  GetCallerIdentity: {  },
  GetEbsDefaultKmsKeyId: { DryRun: 'boolean' },
  GetEbsEncryptionByDefault: { DryRun: 'boolean' },
  ModifyImageAttribute: { ImageId: 'string!', Attribute: 'string', Description: 'AttributeValue', LaunchPermission: 'LaunchPermissionModifications', OperationType: 'OperationType', ProductCode: 'string[]', UserGroup: 'string[]', UserId: 'string[]', Value: 'string', OrganizationArn: 'string[]', OrganizationalUnitArn: 'string[]', ImdsSupport: 'AttributeValue', DryRun: 'boolean' },
  ModifySnapshotAttribute: { SnapshotId: 'string!', Attribute: 'SnapshotAttributeName', CreateVolumePermission: 'CreateVolumePermissionModifications', UserGroup: 'string[]', OperationType: 'OperationType', UserId: 'string[]', DryRun: 'boolean' },
  ModifyVolume: { VolumeId: 'string!', DryRun: 'boolean', Size: 'integer', VolumeType: 'VolumeType', Iops: 'integer', Throughput: 'integer', MultiAttachEnabled: 'boolean' },
  RegisterImage: { Name: 'string!', ImageLocation: '', BillingProduct: '', BootMode: 'BootModeValues', TpmSupport: 'TpmSupportValues', UefiData: 'string', ImdsSupport: 'ImdsSupportValues', TagSpecification: 'TagSpecification[]', DryRun: 'boolean', Description: 'string', Architecture: 'ArchitectureValues', KernelId: 'string', RamdiskId: 'string', RootDeviceName: 'string', BlockDeviceMapping: 'BlockDeviceMapping[]', VirtualizationType: 'string', SriovNetSupport: 'string', EnaSupport: 'boolean' },
  ResetImageAttribute: { Attribute: 'ResetImageAttributeName!', ImageId: 'string!', DryRun: 'boolean' },
};
