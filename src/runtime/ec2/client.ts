import type { EC2Client, EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Cloud } from '../../dsl/recipe.js';

/** What stands below the SDK's serializer instead of the network. */
export type RequestHandler = NonNullable<EC2ClientConfig['requestHandler']>;

/** An EC2 that can be asked. */
export interface Ec2 {
  readonly sdk: typeof import('./sdk.js');
  readonly cloud: Cloud;
  /** Retries by itself; for calls that may be sent twice. */
  readonly client: EC2Client;
  /** Sends once; for calls that make something and take no token against doubles. */
  readonly once: EC2Client;
  /** Whether a describe call shows at once what was made: not so on EC2. */
  readonly consistent: boolean;
}

/**
 * Opens the EC2 of a recipe's cloud.
 * @param local the embedded EC2's handler and region, where that is meant.
 */
export async function openEc2(cloud: Cloud, local?: { readonly handler: RequestHandler; readonly region: string }): Promise<Ec2> {
  const sdk = await import('./sdk.js');
  const config: EC2ClientConfig =
    local !== undefined
      ? {
          region: local.region,
          // Never asked: the handler answers before there is a connection.
          endpoint: 'http://ec2.invalid',
          credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
          requestHandler: local.handler,
        }
      : {
          ...(cloud.region === undefined ? {} : { region: cloud.region }),
          ...(cloud.profile === undefined ? {} : { profile: cloud.profile }),
          ...(cloud.endpoint === undefined ? {} : { endpoint: cloud.endpoint }),
          retryMode: 'adaptive',
          maxAttempts: 10,
        };
  return {
    sdk,
    cloud,
    client: new sdk.EC2Client(config),
    once: new sdk.EC2Client({ ...config, maxAttempts: 1 }),
    consistent: local !== undefined,
  };
}

/** EC2's code of a refusal, e.g. `InvalidVolume.NotFound`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  // The SDK hangs its metadata on errors of the network too; only an answer has a status.
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return error instanceof Error && status !== undefined ? error.name : undefined;
}

/** Whether EC2 says that a thing does not exist. */
export function isNotFound(error: unknown): boolean {
  return /^Invalid\w+\.(NotFound|Unavailable|Malformed)$/.test(codeOf(error) ?? '');
}

/** Whether EC2 says no for good, so that asking again is of no use. */
export function isRefusal(error: unknown): boolean {
  return /^(UnauthorizedOperation|AuthFailure|AccessDenied|InvalidClientTokenId|ExpiredToken|RequestExpired|OptInRequired|Blocked)/.test(codeOf(error) ?? '');
}

/** Whether the answer of a call was lost, so that what it asked for may have been done. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || /^(Internal|ServiceUnavailable|Unavailable|RequestTimeout|TimeoutError)/.test(code);
}

/** An error of EC2 told with the call it came from. */
export function inCall(call: string, error: unknown): Error {
  const code = codeOf(error);
  const message = (error as Error).message;
  return new Error(`${call}: ${code === undefined || message.startsWith(code) ? '' : `${code}: `}${message}`, { cause: error });
}
