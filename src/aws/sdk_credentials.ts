/** What we use of the SDK for credentials. Loaded late, and only on AWS. */
export { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
