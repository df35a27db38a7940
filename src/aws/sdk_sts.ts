/** What we use of the SDK for STS. Loaded when EC2 has refused something. */
export { DecodeAuthorizationMessageCommand, STSClient } from '@aws-sdk/client-sts';
