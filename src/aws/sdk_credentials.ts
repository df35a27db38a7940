/** The parts of the SDK for credentials that chrootfile uses. Loaded only on AWS, when needed. */
export { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
