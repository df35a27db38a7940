/** The client of the instance metadata service. Loaded late, and only on AWS. */
export { MetadataService } from '@aws-sdk/ec2-metadata-service';
