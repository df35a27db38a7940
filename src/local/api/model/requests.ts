// Made from the model in the packages of the SDK by `npm run generate`: scripts/ec2_model.ts.

export type ArchitectureValues = 'arm64' | 'arm64_mac' | 'i386' | 'x86_64' | 'x86_64_mac';
export type BootModeValues = 'legacy-bios' | 'uefi' | 'uefi-preferred';
export type CopyTagsFromSource = 'volume';
export type ImageAttributeName = 'blockDeviceMapping' | 'bootMode' | 'deregistrationProtection' | 'description' | 'imdsSupport' | 'kernel' | 'lastLaunchedTime' | 'launchPermission' | 'productCodes' | 'ramdisk' | 'sriovNetSupport' | 'tpmSupport' | 'uefiData';
export type ImdsSupportValues = 'v2.0';
export type OperationType = 'add' | 'remove';
export type PermissionGroup = 'all';
export type ResetImageAttributeName = 'launchPermission';
export type ResourceType = 'application-status-check' | 'capacity-block' | 'capacity-manager-data-export' | 'capacity-reservation' | 'capacity-reservation-cancellation-quote' | 'capacity-reservation-fleet' | 'capacity-reservation-modification-quote' | 'carrier-gateway' | 'client-vpn-endpoint' | 'coip-pool' | 'customer-gateway' | 'declarative-policies-report' | 'dedicated-host' | 'dhcp-options' | 'egress-only-internet-gateway' | 'elastic-gpu' | 'elastic-ip' | 'export-image-task' | 'export-instance-task' | 'fca-policy' | 'fleet' | 'fpga-image' | 'host-reservation' | 'image' | 'image-usage-report' | 'import-image-task' | 'import-snapshot-task' | 'instance' | 'instance-connect-endpoint' | 'instance-event-window' | 'internet-gateway' | 'ipam' | 'ipam-external-resource-verification-token' | 'ipam-internet-registry-association' | 'ipam-policy' | 'ipam-pool' | 'ipam-pool-allocation' | 'ipam-prefix-list-resolver' | 'ipam-prefix-list-resolver-target' | 'ipam-resource-discovery' | 'ipam-resource-discovery-association' | 'ipam-scope' | 'ipv4pool-ec2' | 'ipv6pool-ec2' | 'key-pair' | 'launch-template' | 'local-gateway' | 'local-gateway-route-table' | 'local-gateway-route-table-virtual-interface-group-association' | 'local-gateway-route-table-vpc-association' | 'local-gateway-virtual-interface' | 'local-gateway-virtual-interface-group' | 'mac-modification-task' | 'metric-category' | 'natgateway' | 'network-acl' | 'network-insights-access-scope' | 'network-insights-access-scope-analysis' | 'network-insights-analysis' | 'network-insights-path' | 'network-interface' | 'outpost-lag' | 'placement-group' | 'prefix-list' | 'replace-root-volume-task' | 'reserved-instances' | 'route-server' | 'route-server-endpoint' | 'route-server-peer' | 'route-table' | 'secondary-interface' | 'secondary-network' | 'secondary-subnet' | 'security-group' | 'security-group-rule' | 'service-link-virtual-interface' | 'snapshot' | 'spot-fleet-request' | 'spot-instances-request' | 'subnet' | 'subnet-cidr-reservation' | 'traffic-mirror-filter' | 'traffic-mirror-filter-rule' | 'traffic-mirror-session' | 'traffic-mirror-target' | 'transit-gateway' | 'transit-gateway-attachment' | 'transit-gateway-connect-peer' | 'transit-gateway-metering-policy' | 'transit-gateway-multicast-domain' | 'transit-gateway-policy-table' | 'transit-gateway-route-table' | 'transit-gateway-route-table-announcement' | 'verified-access-endpoint' | 'verified-access-endpoint-target' | 'verified-access-group' | 'verified-access-instance' | 'verified-access-policy' | 'verified-access-trust-provider' | 'volume' | 'vpc' | 'vpc-block-public-access-exclusion' | 'vpc-encryption-control' | 'vpc-endpoint' | 'vpc-endpoint-connection' | 'vpc-endpoint-connection-device-type' | 'vpc-endpoint-service' | 'vpc-endpoint-service-permission' | 'vpc-flow-log' | 'vpc-peering-connection' | 'vpn-concentrator' | 'vpn-connection' | 'vpn-connection-device-type' | 'vpn-gateway';
export type SnapshotAttributeName = 'createVolumePermission' | 'productCodes';
export type TpmSupportValues = 'v2.0';
export type VolumeType = 'gp2' | 'gp3' | 'io1' | 'io2' | 'sc1' | 'st1' | 'standard';

export interface AttributeValue { readonly Value?: string; }
export interface BlockDeviceMapping { readonly Ebs?: EbsBlockDevice; readonly NoDevice?: string; readonly DeviceName?: string; readonly VirtualName?: string; }
export interface CreateVolumePermission { readonly UserId?: string; readonly Group?: PermissionGroup; }
export interface CreateVolumePermissionModifications { readonly Add?: readonly CreateVolumePermission[]; readonly Remove?: readonly CreateVolumePermission[]; }
export interface EbsBlockDevice { readonly DeleteOnTermination?: boolean; readonly Iops?: number; readonly SnapshotId?: string; readonly VolumeSize?: number; readonly VolumeType?: VolumeType; readonly Throughput?: number; readonly Encrypted?: boolean; }
export interface Filter { readonly Name?: string; readonly Value?: readonly string[]; }
export interface InstanceSpecification { readonly InstanceId: string; readonly ExcludeBootVolume?: boolean; readonly ExcludeDataVolumeId?: readonly string[]; }
export interface LaunchPermission { readonly OrganizationArn?: string; readonly OrganizationalUnitArn?: string; readonly UserId?: string; readonly Group?: PermissionGroup; }
export interface LaunchPermissionModifications { readonly Add?: readonly LaunchPermission[]; readonly Remove?: readonly LaunchPermission[]; }
export interface Tag { readonly Key?: string; readonly Value?: string; }
export interface TagSpecification { readonly ResourceType?: ResourceType; readonly Tag?: readonly Tag[]; }

/** The parameters of the actions that are served. */
export interface Requests {
  readonly AssumeRole: { readonly RoleArn: string; readonly RoleSessionName: string; readonly PolicyArns?: unknown; readonly Policy?: string; readonly DurationSeconds?: number; readonly Tags?: unknown; readonly TransitiveTagKeys?: unknown; readonly ExternalId?: string; readonly SerialNumber?: string; readonly TokenCode?: string; };
  readonly AttachVolume: { readonly Device: string; readonly InstanceId: string; readonly VolumeId: string; readonly DryRun?: boolean; };
  readonly CopyImage: { readonly Name: string; readonly SourceImageId: string; readonly SourceRegion: string; readonly ClientToken?: string; readonly Description?: string; readonly Encrypted?: boolean; readonly KmsKeyId?: string; readonly CopyImageTags?: boolean; readonly TagSpecification?: readonly TagSpecification[]; readonly SnapshotCopyCompletionDurationMinutes?: number; readonly DryRun?: boolean; };
  readonly CopySnapshot: { readonly SourceRegion: string; readonly SourceSnapshotId: string; readonly Description?: string; readonly DestinationRegion?: string; readonly Encrypted?: boolean; readonly KmsKeyId?: string; readonly PresignedUrl?: string; readonly TagSpecification?: readonly TagSpecification[]; readonly CompletionDurationMinutes?: number; readonly DryRun?: boolean; };
  readonly CreateImage: { readonly InstanceId: string; readonly Name: string; readonly TagSpecification?: readonly TagSpecification[]; readonly DryRun?: boolean; readonly Description?: string; readonly NoReboot?: boolean; readonly BlockDeviceMapping?: readonly BlockDeviceMapping[]; };
  readonly CreateSnapshot: { readonly VolumeId: string; readonly Description?: string; readonly TagSpecification?: readonly TagSpecification[]; readonly DryRun?: boolean; };
  readonly CreateSnapshots: { readonly InstanceSpecification: InstanceSpecification; readonly Description?: string; readonly TagSpecification?: readonly TagSpecification[]; readonly DryRun?: boolean; readonly CopyTagsFromSource?: CopyTagsFromSource; };
  readonly CreateTags: { readonly ResourceId: readonly string[]; readonly Tag: readonly Tag[]; readonly DryRun?: boolean; };
  readonly CreateVolume: { readonly AvailabilityZone?: string; readonly AvailabilityZoneId?: string; readonly Encrypted?: boolean; readonly Iops?: number; readonly KmsKeyId?: string; readonly Size?: number; readonly SnapshotId?: string; readonly VolumeType?: VolumeType; readonly TagSpecification?: readonly TagSpecification[]; readonly MultiAttachEnabled?: boolean; readonly Throughput?: number; readonly ClientToken?: string; readonly DryRun?: boolean; };
  readonly DecodeAuthorizationMessage: { readonly EncodedMessage: string; };
  readonly DeleteSnapshot: { readonly SnapshotId: string; readonly DryRun?: boolean; };
  readonly DeleteTags: { readonly ResourceId: readonly string[]; readonly DryRun?: boolean; readonly Tag?: readonly Tag[]; };
  readonly DeleteVolume: { readonly VolumeId: string; readonly DryRun?: boolean; };
  readonly DeregisterImage: { readonly ImageId: string; readonly DeleteAssociatedSnapshots?: boolean; readonly DryRun?: boolean; };
  readonly DescribeAvailabilityZones: { readonly ZoneName?: readonly string[]; readonly ZoneId?: readonly string[]; readonly AllAvailabilityZones?: boolean; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; };
  readonly DescribeImageAttribute: { readonly Attribute: ImageAttributeName; readonly ImageId: string; readonly DryRun?: boolean; };
  readonly DescribeImages: { readonly ExecutableBy?: readonly string[]; readonly ImageId?: readonly string[]; readonly Owner?: readonly string[]; readonly IncludeDeprecated?: boolean; readonly IncludeDisabled?: boolean; readonly MaxResults?: number; readonly NextToken?: string; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; };
  readonly DescribeInstanceStatus: { readonly InstanceId?: readonly string[]; readonly MaxResults?: number; readonly NextToken?: string; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; readonly IncludeAllInstances?: boolean; };
  readonly DescribeInstances: { readonly InstanceId?: readonly string[]; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; readonly NextToken?: string; readonly MaxResults?: number; };
  readonly DescribeRegions: { readonly RegionName?: readonly string[]; readonly AllRegions?: boolean; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; };
  readonly DescribeSnapshotAttribute: { readonly Attribute: SnapshotAttributeName; readonly SnapshotId: string; readonly DryRun?: boolean; };
  readonly DescribeSnapshots: { readonly MaxResults?: number; readonly NextToken?: string; readonly Owner?: readonly string[]; readonly RestorableBy?: readonly string[]; readonly SnapshotId?: readonly string[]; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; };
  readonly DescribeTags: { readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; readonly MaxResults?: number; readonly NextToken?: string; };
  readonly DescribeVolumeStatus: { readonly MaxResults?: number; readonly NextToken?: string; readonly VolumeId?: readonly string[]; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; };
  readonly DescribeVolumes: { readonly VolumeId?: readonly string[]; readonly DryRun?: boolean; readonly Filter?: readonly Filter[]; readonly NextToken?: string; readonly MaxResults?: number; };
  readonly DescribeVolumesModifications: { readonly DryRun?: boolean; readonly VolumeId?: readonly string[]; readonly Filter?: readonly Filter[]; readonly NextToken?: string; readonly MaxResults?: number; };
  readonly DetachVolume: { readonly VolumeId: string; readonly Device?: string; readonly Force?: boolean; readonly InstanceId?: string; readonly DryRun?: boolean; };
  readonly DisableEbsEncryptionByDefault: { readonly DryRun?: boolean; };
  readonly DisableImage: { readonly ImageId: string; readonly DryRun?: boolean; };
  readonly DisableImageDeprecation: { readonly ImageId: string; readonly DryRun?: boolean; };
  readonly DisableImageDeregistrationProtection: { readonly ImageId: string; readonly DryRun?: boolean; };
  readonly EnableEbsEncryptionByDefault: { readonly DryRun?: boolean; };
  readonly EnableImage: { readonly ImageId: string; readonly DryRun?: boolean; };
  readonly EnableImageDeprecation: { readonly ImageId: string; readonly DeprecateAt: string; readonly DryRun?: boolean; };
  readonly EnableImageDeregistrationProtection: { readonly ImageId: string; readonly WithCooldown?: boolean; readonly DryRun?: boolean; };
  readonly GetCallerIdentity: {  };
  readonly GetEbsDefaultKmsKeyId: { readonly DryRun?: boolean; };
  readonly GetEbsEncryptionByDefault: { readonly DryRun?: boolean; };
  readonly ModifyImageAttribute: { readonly ImageId: string; readonly Attribute?: string; readonly Description?: AttributeValue; readonly LaunchPermission?: LaunchPermissionModifications; readonly OperationType?: OperationType; readonly ProductCode?: readonly string[]; readonly UserGroup?: readonly string[]; readonly UserId?: readonly string[]; readonly Value?: string; readonly OrganizationArn?: readonly string[]; readonly OrganizationalUnitArn?: readonly string[]; readonly ImdsSupport?: AttributeValue; readonly DryRun?: boolean; };
  readonly ModifySnapshotAttribute: { readonly SnapshotId: string; readonly Attribute?: SnapshotAttributeName; readonly CreateVolumePermission?: CreateVolumePermissionModifications; readonly UserGroup?: readonly string[]; readonly OperationType?: OperationType; readonly UserId?: readonly string[]; readonly DryRun?: boolean; };
  readonly ModifyVolume: { readonly VolumeId: string; readonly DryRun?: boolean; readonly Size?: number; readonly VolumeType?: VolumeType; readonly Iops?: number; readonly Throughput?: number; readonly MultiAttachEnabled?: boolean; };
  readonly RegisterImage: { readonly Name: string; readonly BootMode?: BootModeValues; readonly TpmSupport?: TpmSupportValues; readonly UefiData?: string; readonly ImdsSupport?: ImdsSupportValues; readonly TagSpecification?: readonly TagSpecification[]; readonly DryRun?: boolean; readonly Description?: string; readonly Architecture?: ArchitectureValues; readonly KernelId?: string; readonly RamdiskId?: string; readonly RootDeviceName?: string; readonly BlockDeviceMapping?: readonly BlockDeviceMapping[]; readonly VirtualizationType?: string; readonly SriovNetSupport?: string; readonly EnaSupport?: boolean; };
  readonly ResetImageAttribute: { readonly Attribute: ResetImageAttributeName; readonly ImageId: string; readonly DryRun?: boolean; };
}
