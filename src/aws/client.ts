import type { EC2Client, EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { STSClientConfig } from '@aws-sdk/client-sts';
import type { Cloud } from '../dsl/recipe/types.js';
import { Usage } from './api_metrics.js';
import { type Credentials, credentialsOf, nowhere, type ServedKeys } from './credentials.js';
import { ownRegion } from './metadata.js';

/** What stands below the SDK's serializer instead of the network. */
export type RequestHandler = NonNullable<EC2ClientConfig['requestHandler']>;

/** The EC2 of one region that can be asked. */
export interface Ec2 {
  readonly sdk: typeof import('./sdk.js');
  readonly cloud: Cloud;
  readonly region: string;
  /** Retries by itself; for calls that may be sent twice. */
  readonly client: EC2Client;
  /** Sends once; for calls that make something and take no token against doubles. */
  readonly once: EC2Client;
  /** Whether a describe call shows at once what was made: not so on EC2. */
  readonly consistent: boolean;
  readonly usage: Usage;
  /** The same account in another region; this one where it is its own, or none is named. */
  in(region: string | undefined): Ec2;
}

/** The embedded EC2: its handler, and the region where none is named. */
export interface LocalHandler {
  readonly handler: RequestHandler;
  readonly region: string;
  readonly consistent: boolean;
}

/**
 * Opens the EC2 of a recipe's cloud.
 * @param served looks up the keys of the EC2 that is served at the cloud's endpoint, where they are known.
 * @throws Error when no region is known.
 */
export async function openEc2(cloud: Cloud, local?: LocalHandler, served: () => ServedKeys | undefined = () => undefined): Promise<Ec2> {
  const sdk = await import('./sdk.js');
  askMetadataOf(cloud.endpoint, served()?.metadata);
  const usage = new Usage();
  const credentials = credentialsOf(cloud, local?.region ?? cloud.region, local?.handler, served);
  const shared: EC2ClientConfig = {
    credentials: credentials.provider,
    ...(cloud.profile === undefined ? {} : { profile: cloud.profile }),
    retryMode: 'adaptive',
    // What fails here at every try, such as a full disk, does not pass by waiting.
    maxAttempts: cloud.max_attempts ?? (local === undefined ? 10 : 6),
    ...(cloud.endpoint === undefined ? {} : { endpoint: cloud.endpoint }),
    // Never asked: the handler answers before there is a connection.
    ...(local === undefined ? {} : { endpoint: nowhere, requestHandler: local.handler }),
  };
  const unverified = local === undefined && cloud.tls_verify === false ? await unverifiedHandler() : {};
  const region = local?.region ?? cloud.region ?? (await regionOf(new sdk.EC2Client(shared), cloud));
  const regions = new Map<string, Ec2>();
  const open = (name: string): Ec2 => {
    const config = { ...shared, ...unverified, region: name };
    const prepared = (client: EC2Client) => prepare(client, { usage, credentials, config, cloud });
    const ec2: Ec2 = {
      sdk,
      cloud,
      region: name,
      client: prepared(new sdk.EC2Client(config)),
      once: prepared(new sdk.EC2Client({ ...config, maxAttempts: 1 })),
      consistent: local?.consistent ?? false,
      usage,
      in: (other = name) => regions.get(other) ?? open(other),
    };
    regions.set(name, ec2);
    return ec2;
  };
  return open(region);
}

/**
 * An EC2 that is served on this machine says what this machine is, too, as it does to Packer. Said by the environment,
 * where the SDK's metadata client and its credentials look; what is there already stays.
 * @param known where it says so, if that is known.
 */
function askMetadataOf(endpoint: string | undefined, known: string | undefined): void {
  const { env } = process;
  const here = endpoint !== undefined && /^http:\/\/(localhost|127\.[0-9.]+|\[::1\])[:/]?/.test(endpoint);
  // One undo may be of several runs, each with an endpoint of its own.
  if (env[metadataEndpoint] === madeUp) delete env[metadataEndpoint];
  madeUp = env[metadataEndpoint] === undefined ? (known ?? (here ? endpoint : undefined)) : undefined;
  if (madeUp !== undefined) env[metadataEndpoint] = madeUp;
}

const metadataEndpoint = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
/** What was put there by us. */
let madeUp: string | undefined;

/** For endpoints with certificates of their own making; said by the recipe. */
async function unverifiedHandler(): Promise<EC2ClientConfig> {
  const { Agent } = await import('node:https');
  return { requestHandler: { httpsAgent: new Agent({ rejectUnauthorized: false }) } };
}

/** The region the SDK finds in the environment and the profile, else the one this machine is in. */
async function regionOf(client: EC2Client, cloud: Cloud): Promise<string> {
  try {
    return await client.config.region();
  } catch {
    return await ownRegion(cloud);
  }
}

interface Surroundings {
  readonly usage: Usage;
  readonly credentials: Credentials;
  readonly config: EC2ClientConfig;
  readonly cloud: Cloud;
}

/** Requests of which a try was lost, so that nobody knows what it did. */
const unsure = new WeakSet<object>();

/** Errors of requests that were refused at every try. */
const withoutEffect = new WeakSet<Error>();

/** Counts what is sent, renews credentials that EC2 calls too old, and decodes why something is not allowed. */
function prepare(client: EC2Client, { usage, credentials, config, cloud }: Surroundings): EC2Client {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      usage.called(String(context.commandName).replace(/Command$/, ''));
      try {
        return await next(args);
      } catch (error) {
        if (isLost(error)) unsure.add(context);
        throw error;
      }
    },
    // High: outside of the SDK's own deserializer, which makes an error of an answer such as HTTP 500.
    { step: 'deserialize', priority: 'high', name: 'countCalls' },
  );
  client.middlewareStack.add(
    (next, context) => async (args) => {
      try {
        try {
          return await next(args);
        } catch (error) {
          if (!isExpiry(error)) throw error;
          credentials.renew();
          return await next(args);
        }
      } catch (error) {
        await decode(error, config, cloud);
        if (!unsure.has(context) && (hasNoKeys(error) || (codeOf(error) !== undefined && !isLost(error)))) withoutEffect.add(error as Error);
        throw error;
      }
    },
    { step: 'initialize', name: 'renewAndDecode' },
  );
  return client;
}

/** Puts what EC2 says in code in words; whoever may not have it decoded sees it as it is. */
async function decode(error: unknown, { credentials, region, requestHandler, endpoint }: EC2ClientConfig, { sts_endpoint }: Cloud): Promise<void> {
  if (!(error instanceof Error) || codeOf(error) !== 'UnauthorizedOperation') return;
  const [whole, encoded] = /\s*Encoded authorization failure message:\s*(\S+)/.exec(error.message) ?? [];
  if (whole === undefined) return;
  try {
    const { STSClient, DecodeAuthorizationMessageCommand } = await import('./sdk_sts.js');
    // A custom endpoint is EC2's own; only the embedded one is known to answer for STS too.
    const here = endpoint === nowhere ? { endpoint } : sts_endpoint === undefined ? {} : { endpoint: sts_endpoint };
    const handler = requestHandler === undefined ? {} : { requestHandler };
    const sts = new STSClient({ credentials, region, ...here, ...handler } as STSClientConfig);
    const { DecodedMessage: text } = await sts.send(new DecodeAuthorizationMessageCommand({ EncodedMessage: encoded }));
    const { explicitDeny, context } = JSON.parse(text ?? '{}') as Decoded;
    const why = explicitDeny ? 'a policy denies it' : 'no policy allows it';
    error.message = error.message.replace(whole, ` ${context?.principal?.arn} may not ${context?.action} on ${context?.resource}: ${why}.`);
  } catch {
    error.message = error.message.replace(whole, ' (to read why, allow sts:DecodeAuthorizationMessage)');
  }
}

interface Decoded {
  readonly explicitDeny?: boolean;
  readonly context?: { readonly principal?: { readonly arn?: string }; readonly action?: string; readonly resource?: string };
}

/** EC2's code of a refusal, e.g. `InvalidVolume.NotFound`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  // The SDK hangs its metadata on errors of the network too; only an answer has a status.
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return error instanceof Error && status !== undefined ? error.name : undefined;
}

/** Whether EC2 says that a thing does not exist. */
export function isNotFound(error: unknown): boolean {
  return /^Invalid\w+\.(NotFound|Unavailable)$/.test(codeOf(error) ?? '');
}

/**
 * Whether EC2 refuses something because of a limit that passes by itself, once what is under way has ended.
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export function isPassingLimit(error: unknown): boolean {
  return /^(ResourceLimitExceeded|SnapshotCreationPerVolumeRateExceeded|ConcurrentSnapshotLimitExceeded|PendingSnapshot\w*|ConcurrentTagAccess)$/.test(
    codeOf(error) ?? '',
  );
}

/** Whether EC2 says no for good, so that asking again is of no use. */
export function isRefusal(error: unknown): boolean {
  return (
    isExpiry(error) ||
    hasNoKeys(error) ||
    /^(UnauthorizedOperation|AuthFailure|AccessDenied|InvalidClientTokenId|SignatureDoesNotMatch|OptInRequired|Blocked)/.test(codeOf(error) ?? '')
  );
}

/** Whether there are no credentials to ask with, or no new ones. Source: the SDK's provider chain. */
function hasNoKeys(error: unknown): boolean {
  return error instanceof Error && /^(CredentialsProviderError|TokenProviderError)$/.test(error.name);
}

/** Whether an error of a call says that it was refused, and no earlier try of it can have had an effect. */
export function changedNothing(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && withoutEffect.has(error.cause);
}

/** The same error, of which nobody can say that nothing was changed. */
export function notSure(error: Error): Error {
  return new Error(error.message, { cause: error });
}

/** Whether EC2 says that the credentials are too old. */
export function isExpiry(error: unknown): boolean {
  return /^(RequestExpired|ExpiredToken)/.test(codeOf(error) ?? '');
}

/** Whether the answer of a call was lost, so that what it asked for may have been done. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || /^(Internal|ServiceUnavailable|Unavailable|RequestTimeout|TimeoutError)/.test(code);
}

/** Whether EC2 has too much to do, and has done nothing. */
export function isThrottling(error: unknown): boolean {
  return /Throttl|RequestLimitExceeded|TooManyRequests/.test(codeOf(error) ?? '');
}

/** An error of EC2 told with the call it came from, and with what would help. */
export function inCall(call: string, error: unknown): Error {
  const code = codeOf(error);
  const { message } = error as Error;
  const help =
    code === 'UnauthorizedOperation'
      ? `\n  help: the permission ec2:${call} is missing`
      : isExpiry(error) || hasNoKeys(error)
        ? '\n  help: there are no credentials that are good: renew them, and try again'
        : '';
  return new Error(`${call}: ${code === undefined || message.startsWith(code) ? '' : `${code}: `}${message}${help}`, { cause: error });
}
