import { createHmac } from 'node:crypto';

/** The default region of the embedded EC2. */
export const localRegion = 'local-1';

/** The default account. */
export const localAccount = '000000000000';

/** The secret access key when signatures are not checked. */
export const uncheckedKey = 'local';

/** The regions that every account has: some local ones, and those of AWS, so that recipes work unchanged. */
export const regions: readonly string[] = [
  ...['local-1', 'local-2', 'local-3', 'local-4'],
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-central-1', 'eu-north-1'],
  ...['ap-south-1', 'ap-southeast-1', 'ap-southeast-2', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3'],
];

/** Regions of AWS that an account must opt in to, and whether it has done so in the embedded EC2. */
export const optInRegions: Readonly<Record<string, boolean>> = {
  ...{ 'af-south-1': true, 'eu-south-1': true, 'me-south-1': true, 'ap-east-1': false, 'ap-east-2': false, 'ap-south-2': false },
  ...{ 'ap-southeast-3': false, 'ap-southeast-4': false, 'ap-southeast-5': false, 'ap-southeast-6': false, 'ap-southeast-7': false },
  ...{ 'ca-west-1': false, 'eu-central-2': false, 'eu-south-2': false, 'il-central-1': false, 'me-central-1': false, 'mx-central-1': false },
};

/** Whether a text is a valid name of a region, including AWS regions that are newer than this list. */
export function isRegion(text: string): boolean {
  return text.length <= 64 && /^[a-z]+(-[a-z]+)*-[0-9]+$/.test(text);
}

/** The credentials that a request names. */
export interface Claim {
  /** Undefined when the request is unsigned, or signed in another format. */
  readonly accessKeyId: string | undefined;
  readonly region: string | undefined;
  readonly sessionToken: string | undefined;
}

/**
 * Reads the credentials of a request: from its `Authorization` header, or else from its query or form.
 * Source: Signature Version 4, the credential scope `KEY/DATE/REGION/SERVICE/aws4_request`.
 */
export function claimOf(headers: Readonly<Record<string, string>>, form: URLSearchParams): Claim {
  const { authorization, 'x-amz-security-token': token } = headers;
  const scope = authorization === undefined ? form.get('X-Amz-Credential') : partOf(authorization, 'Credential');
  const [, accessKeyId, region] = /^([^/]+)\/[0-9]{8}\/([^/]+)\/[^/]+\/aws4_request$/.exec(scope ?? '') ?? [];
  return { accessKeyId, region, sessionToken: authorization === undefined ? (form.get('X-Amz-Security-Token') ?? undefined) : token };
}

/** A part of an `Authorization` header, such as its `Signature`. */
export function partOf(authorization: string, name: string): string {
  const [, parts = ''] = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(authorization) ?? [];
  return new RegExp(`(?:^|,)\\s*${name}=([^,\\s]*)`).exec(parts)?.[1] ?? '';
}

/** The session token of a role's credentials. {@link secretFor} derives their secret access key. */
const ofRole = /^role-(?=expires-[0-9]+$)/;

/** Credentials of a role until a time, in seconds since 1970. The server's own secret access key cannot be derived from them. */
export function roleCredentials(secretKey: string, accessKeyId: string, until: number) {
  const sessionToken = `role-expires-${until}`;
  return { AccessKeyId: accessKeyId, SecretAccessKey: secretFor({ accessKeyId, sessionToken }, secretKey), SessionToken: sessionToken };
}

/** The secret access key that signs requests with these credentials, derived from the server's own. */
export function secretFor({ accessKeyId, sessionToken = '' }: Pick<Claim, 'accessKeyId' | 'sessionToken'>, secretKey: string): string {
  if (!ofRole.test(sessionToken)) return secretKey;
  return createHmac('sha256', secretKey).update(`${accessKeyId} ${sessionToken}`).digest('base64url').slice(0, 40);
}

/** The account and region of a request. */
export interface RequestIdentity {
  readonly account: string;
  readonly region: string;
  /** Whether the credentials have expired. */
  readonly expired: boolean;
  /** When the credentials expire, in seconds since 1970; undefined when they do not. */
  readonly until?: number | undefined;
}

/**
 * Reads the account and region of a signed request. {@link verifySignature} checks the signature. An access key of
 * twelve digits is the account, as in other emulators. Credentials with a session token `expires-SECONDS` or
 * `role-expires-SECONDS` expire then (seconds since 1970).
 */
export function requestIdentityOf(headers: Readonly<Record<string, string>>, form: URLSearchParams, region: string): RequestIdentity {
  const { accessKeyId: key = '', region: signed, sessionToken = '' } = claimOf(headers, form);
  const [, end] = /^(?:role-)?expires-([0-9]+)$/.exec(sessionToken) ?? [];
  const until = end === undefined ? undefined : Number(end);
  return {
    account: /^[0-9]{12}$/.test(key) ? key : localAccount,
    region: signed ?? region,
    expired: until !== undefined && until * 1000 < Date.now(),
    until,
  };
}
