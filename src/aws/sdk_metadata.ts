/** The client of the instance metadata service. Loaded only on AWS, when needed. */
export { MetadataService } from '@aws-sdk/ec2-metadata-service';
