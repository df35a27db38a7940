/** The parts of the SDK for STS that chrootfile uses. Loaded when EC2 has refused a request, and by `doctor`. */
export { DecodeAuthorizationMessageCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
